//! Services, strips and KPIs.

use crate::world::{NOW, World};
use document::ServiceId;
use evidence::{Evidence, Figure, Health, KpiEvidence, Verdict, Window};
use traces::NodeKind;

fn near(figure: &Figure, expected: f64) {
    let Figure::Value(v) = figure else { panic!("{figure:?} is not {expected}") };
    assert!((v - expected).abs() < 0.02 * expected.abs() + 1e-9, "{v} is not {expected}");
}

fn health(world: &World, id: &str) -> (Health, String) {
    let service = world.service(id);
    (service.health, service.reason)
}

#[test]
fn a_service_is_known_by_its_requests() {
    let world = World::new("", "");
    world.up("orders", 1, 1.0);
    world.replica("orders", 1, (120, 0), 9.0, 0.0);
    let orders = world.service("orders");
    near(&orders.rate, 9.0);
    near(&orders.p95, 0.19);
    assert_eq!(orders.errors, Figure::Value(0.0));
    assert_eq!((orders.health, orders.reason.as_str()), (Health::Healthy, "up"));
    assert_eq!((orders.up, orders.instances, orders.title.as_str()), (1, 1, "Orders"));
}

#[test]
fn health_says_why() {
    let cases: [(f64, f64, &[f64], Health, &str); 7] = [
        (10.0, 0.0, &[1.0, 1.0], Health::Healthy, "all 2 replicas up"),
        (10.0, 0.0, &[1.0, 0.0], Health::Degraded, "1 of 2 replicas up"),
        (10.0, 0.0, &[0.0, 0.0], Health::Down, "0 of 2 replicas up"),
        (10.0, 0.0, &[0.0], Health::Down, "does not answer"),
        (9.0, 1.0, &[1.0], Health::Degraded, "10 % of requests fail"),
        (4.0, 6.0, &[1.0], Health::Down, "60 % of requests fail"),
        (0.01, 0.01, &[1.0], Health::Healthy, "up"),
    ];
    for (ok, bad, replicas, expected, reason) in cases {
        let world = World::new("", "");
        world.replica("orders", 1, (120, 0), ok, bad);
        for (n, up) in (1..).zip(replicas) {
            world.up("orders", n, *up);
        }
        assert_eq!(health(&world, "orders"), (expected, reason.to_owned()));
    }
}

#[test]
fn a_restart_is_told_from_a_first_start() {
    let start = (NOW - 4_000) as f64 / 1000.0;
    let series = "__name__=process_start_time_seconds,job=orders,instance=orders-1";
    let first = World::new("", "");
    first.up("orders", 1, 1.0);
    first.series(series, 4, 0, |_| start);
    assert_eq!(health(&first, "orders"), (Health::Healthy, "up".to_owned()));

    let again = World::new("", "");
    again.up("orders", 1, 1.0);
    again.series(series, 60, 8, |_| start - 500.0);
    again.series(series, 3, 0, |_| start);
    assert_eq!(health(&again, "orders"), (Health::Degraded, "restarted 4 s ago".to_owned()));
}

#[test]
fn missing_figures_say_what_is_missing() {
    let world = World::new("[output.loggia.services.unseen]\ntitle = \"Nobody\"\n", "");
    world.up("idle", 1, 1.0);
    world.replica("idle", 1, (120, 0), 0.0, 0.0);
    world.replica("gone", 1, (200, 90), 6.0, 0.0);
    let idle = world.service("idle");
    assert_eq!((&idle.rate, &idle.p95), (&Figure::Value(0.0), &Figure::NoTraffic));
    assert_eq!((&idle.errors, idle.health), (&Figure::NoTraffic, Health::Healthy));
    let unseen = world.service("unseen");
    assert_eq!((&unseen.rate, unseen.health), (&Figure::NoData, Health::NoData));
    assert_eq!((unseen.title.as_str(), unseen.reason.as_str()), ("Nobody", "nothing measures it"));
    let gone = world.service("gone");
    assert!(matches!(gone.rate, Figure::Stale(_, 30..=60)), "{:?}", gone.rate);
    assert!(matches!(gone.errors, Figure::Stale(0.0, _)), "{:?}", gone.errors);
    assert_eq!(gone.health, Health::NoData);
    assert!(gone.reason.starts_with("last seen "), "{}", gone.reason);
}

#[test]
fn what_nothing_measures_shows_what_its_callers_saw() {
    let mut world = World::new("[output.loggia.services.quiet]\n", "");
    world.call(("gateway", NodeKind::Service), ("orders", NodeKind::Service), 120, 12);
    world.call(("cron", NodeKind::Service), ("orders", NodeKind::Service), 60, 0);
    world.call(("orders", NodeKind::Service), ("payments", NodeKind::Service), 60, 0);
    world.call(("orders", NodeKind::Service), ("quiet", NodeKind::Service), 0, 0);
    world.up("payments", 1, 1.0);
    world.replica("payments", 1, (120, 0), 30.0, 0.0);
    let orders = world.service("orders");
    near(&orders.rate, 3.0);
    near(&orders.errors, 12.0 / 180.0);
    near(&orders.p95, 0.05);
    assert!(orders.traced && orders.instances == 0);
    assert_eq!(
        (orders.health, orders.reason.as_str()),
        (Health::Degraded, "6.67 % of its calls fail")
    );
    let payments = world.service("payments");
    near(&payments.rate, 30.0);
    assert!(!payments.traced, "its own metrics say more than its callers");
    let quiet = world.service("quiet");
    assert_eq!((quiet.health, &quiet.rate), (Health::NoData, &Figure::Value(0.0)));
    assert_eq!(quiet.reason, "not called in the window");
    let cron = world.service("cron");
    assert_eq!((cron.health, &cron.rate), (Health::NoData, &Figure::NoData));
    assert_eq!(cron.reason, "seen in traces, not measured");
}

#[test]
fn versions_come_from_the_target() {
    let world = World::new("", "");
    world.up("orders", 1, 1.0);
    world.series("__name__=target_info,job=orders,service_version=1.2.0", 60, 0, |_| 1.0);
    world.series("__name__=up,job=auth,instance=auth-1,version=0.9", 60, 0, |_| 1.0);
    assert_eq!(world.service("orders").version.as_deref(), Some("1.2.0"));
    assert_eq!(world.service("auth").version.as_deref(), Some("0.9"));
}

#[test]
fn the_books_services_come_first_under_their_own_name() {
    let toml = "[output.loggia.services.zeta]\n\
                [output.loggia.services.orders]\nservice-name = \"order-svc\"\n\
                [output.loggia.services.ledger]\nkind = \"database\"\n";
    let world = World::new(toml, "");
    world.up("order-svc", 1, 1.0);
    world.up("auth", 1, 1.0);
    let ids: Vec<String> = world.evidence().services.into_iter().map(|s| s.id.0).collect();
    assert_eq!(ids, ["zeta", "orders", "auth"]);
    assert_eq!(world.service("orders").up, 1);
}

#[test]
fn strips_sum_up_what_a_section_is_bound_to() {
    let markdown = "# Both {#both services=\"orders auth\"}\n\n## Drawn {#drawn}\n\n\
                    ```mermaid\ngraph LR\n  A[Order Service] --> B[Elsewhere]\n```\n\n\
                    ## Neither {#neither}\n\ntext\n";
    let toml = "[output.loggia.services.orders]\n[output.loggia.services.auth]\n";
    let world = World::new(toml, markdown);
    world.up("orders", 1, 1.0);
    world.up("auth", 1, 0.0);
    world.replica("orders", 1, (120, 0), 30.0, 0.0);
    world.replica("auth", 1, (120, 0), 9.0, 1.0);
    let page = world.evidence().pages["page"].clone();
    let both = &page.strips["both"];
    assert_eq!(both.health, Health::Down);
    near(&both.rate, 40.0);
    near(&both.errors, 0.025);
    near(&both.p95, 0.19);
    assert_eq!(page.strips["drawn"].services, [ServiceId("orders".into())]);
    assert_eq!(page.strips["drawn"].health, Health::Healthy);
    assert!(!page.strips.contains_key("neither"));
}

fn kpi(world: &World) -> KpiEvidence {
    world.evidence().pages["page"].kpis[0].clone()
}

fn grid(json: &str) -> String {
    format!("# Page\n\n```kpi-grid\n[{json}]\n```\n")
}

const P95: &str = "histogram_quantile(0.95, sum by (le) (rate(http_server_request_duration_seconds_bucket[$window])))";

#[test]
fn kpis_are_measured_and_judged() {
    let cases = [
        (format!(r#""value": "< 200ms", "query": "{P95}""#), "s", Verdict::AtRisk),
        (format!(r#""value": "< 300ms", "query": "{P95}", "window": "30s""#), "s", Verdict::Holds),
        (
            format!(r#""value": "Fast", "claim": "< 100ms", "query": "{P95}""#),
            "s",
            Verdict::Violated,
        ),
        (format!(r#""value": "99%", "query": "{P95}", "unit": "s""#), "s", Verdict::Unproven),
        (
            r#""value": "< 5 s", "query": "sum(up) * 1000", "unit": "ms""#.into(),
            "s",
            Verdict::Holds,
        ),
        (r#""value": "1M+", "query": "sum(up)""#.into(), "", Verdict::Unproven),
        (r#""value": "Instant", "query": "sum(up)""#.into(), "", Verdict::Unproven),
        (r#""value": "< 200ms""#.into(), "s", Verdict::Unproven),
        (r#""value": "< 200ms", "query": "absent_metric""#.into(), "s", Verdict::NoData),
        (r#""value": "< 200ms", "query": "up / 0 * 0""#.into(), "s", Verdict::NoData),
        (r#""value": "< 200ms", "query": "((""#.into(), "s", Verdict::NoData),
    ];
    for (json, unit, verdict) in cases {
        let world = World::new("", &grid(&format!(r#"{{"label": "One", {json}}}"#)));
        world.up("orders", 1, 1.0);
        world.replica("orders", 1, (120, 0), 10.0, 0.0);
        let kpi = kpi(&world);
        assert_eq!((kpi.verdict, kpi.unit.as_str()), (verdict, unit), "{json}: {}", kpi.reason);
        assert!(!kpi.reason.is_empty());
    }
}

#[test]
fn what_cannot_be_one_number_says_so() {
    let cases =
        [("up", "2 series instead of one"), ("up[5m]", "a matrix instead of a number"), ("((", "")];
    for (query, why) in cases {
        let json = format!(r#"{{"label": "One", "value": "2", "query": "{query}"}}"#);
        let world = World::new("", &grid(&json));
        world.up("orders", 1, 1.0);
        world.up("orders", 2, 1.0);
        let Figure::QueryError(error) = kpi(&world).value else { panic!("{query} is no number") };
        assert!(error.contains(why), "{error}");
    }
}

#[test]
fn history_has_gaps_and_what_stopped_is_stale() {
    let json = r#"{"label": "One", "value": "< 5", "query": "max_over_time(level[5s])"}"#;
    let world = World::new("", &grid(json));
    world.series("__name__=level", 200, 100, |_| 3.0);
    let kpi = kpi(&world);
    assert_eq!(kpi.history.len(), 61);
    assert_eq!((kpi.history[0], kpi.history[25], kpi.history[60]), (None, Some(3.0), None));
    assert!(matches!(kpi.value, Figure::Stale(3.0, 90..=100)), "{:?}", kpi.value);
    assert_eq!(kpi.verdict, Verdict::Stale);
}

#[test]
fn the_configuration_binds_what_must_stay_untouched() {
    let toml = "[output.loggia.kpis.\"Response Time\"]\nquery = \"sum(up)\"\nclaim = \">= 1\"\n";
    let world = World::new(toml, &grid(r#"{"label": "Response Time", "value": "great"}"#));
    world.up("orders", 1, 1.0);
    let kpi = kpi(&world);
    assert_eq!((&kpi.value, kpi.bound), (&Figure::Value(1.0), Some(1.0)));
}

#[test]
fn questions_are_asked_once_and_windows_put_in() {
    let one = format!(r#"{{"label": "One", "value": "< 1s", "query": "{P95}"}}"#);
    let two = format!(r#"{{"label": "Two", "value": "< 2s", "query": "{P95}"}}"#);
    let other =
        format!(r#"{{"label": "Three", "value": "< 2s", "query": "{P95}", "window": "5m"}}"#);
    let world = World::new("", &grid(&format!("{one},{two},{other}")));
    let plan = evidence::plan(&world.book, Window::covering(Some(NOW - 20_000), NOW), 300);
    let bare = evidence::plan(&World::new("", "").book, plan.window, 300);
    assert_eq!(plan.questions.len(), bare.questions.len() + 4);
    let asked: Vec<&str> = plan.questions.iter().map(|q| q.query.as_str()).collect();
    assert!(
        asked
            .iter()
            .any(|query| query.contains("_bucket[15s]) ") || query.contains("_bucket[15s])))"))
    );
    assert!(asked.iter().any(|query| query.contains("[5m]")));
    assert!(asked.iter().all(|query| !query.contains("$window")));
    assert!(asked.iter().all(|query| promql::Query::parse(query).is_ok()));
}

#[test]
fn before_the_first_answer_figures_are_loading() {
    let world = World::new("[output.loggia.services.orders]\n", "");
    let plan = evidence::plan(&world.book, world.window, 300);
    let evidence: Evidence =
        evidence::evaluate(&world.book, &plan, &[], &world.graph(), &world.graph(), NOW);
    assert_eq!(evidence.services[0].rate, Figure::Loading);
    assert_eq!(evidence.services[0].errors, Figure::Loading);
    assert_eq!(evidence.services[0].reason, "not asked yet");
}
