//! The only place that knows merman: text in, its semantic model and its raw SVG out.
//! `draw` calls it and hands both to `clean` and `read`.

use crate::{DiagramError, metrics, place};
use merman::svg::{
    DeterministicTextMeasurer, MeasurementProfileId, RenderResourcePolicy, TextMeasurementPolicy,
    TextMeasurementProfile, TextMeasurementProfileIdentity,
};
use merman::{
    Engine, MermaidConfig, OperationControl, RenderError, RenderOutput, RenderTarget, Renderer,
    SvgEnvironment, SvgRequest,
};
use serde_json::{Value, json};
use std::sync::LazyLock;
use std::time::Duration;

/// The id that merman puts before every id of its own; `clean` puts the caller's prefix instead.
pub(crate) const RAW_ID: &str = "d0";

/// Steps that a layout may take. merman's own limit stops at about 900 nodes; [`crate::DEADLINE`] ends
/// what takes too long.
const LAYOUT_STEPS_MAX: usize = 500_000_000;

/// What stands before and after a formula.
const FORMULA: &str = "$$";

/// Size of all text, in user units.
pub(crate) const FONT_SIZE: f64 = 14.0;

/// Room around a flowchart or a sequence, in which a pill of live values still fits.
const MARGIN: f64 = 26.0;

/// Colours of parts of charts; white words can be read on each.
const PALETTE: [&str; 8] =
    ["#2b7563", "#4763b8", "#8f5f14", "#7d50a8", "#b04a3c", "#2d7794", "#66782c", "#a04a72"];

/// What merman made of a text.
pub(crate) struct Raw {
    pub(crate) kind: String,
    pub(crate) title: Option<String>,
    pub(crate) model: Value,
    pub(crate) svg: String,
    /// The ground of the author's own theme, where one is asked for.
    pub(crate) ground: Option<String>,
}

/// Parses, lays out and paints. A formula (`$$..$$`) is shown as its source: there is no
/// typesetting of mathematics here.
pub(crate) fn paint(source: &str, deadline: Duration) -> Result<Raw, DiagramError> {
    if source.contains(FORMULA) {
        return attempt(&source.replace(FORMULA, ""), deadline);
    }
    attempt(source, deadline)
}

fn attempt(source: &str, deadline: Duration) -> Result<Raw, DiagramError> {
    let control = OperationControl::new().with_deadline(deadline);
    let failed = |error: RenderError| place::from_merman(source, &error, deadline);
    let figures = source.lines().any(|line| line.trim_start().starts_with("actor "));
    let artifact = RENDERERS[usize::from(figures)]
        .prepare_semantic(source, control)
        .map_err(failed)?
        .ok_or_else(|| place::at_start("no Mermaid diagram is here"))?;
    let kind = artifact.diagram_type().to_owned();
    let title = artifact.metadata().title.clone();
    let (own, all) = (&artifact.metadata().config, &artifact.metadata().effective_config);
    let ground = crate::paint::ground(own.as_value(), all.as_value());
    let model = artifact.compatibility_json().map_err(failed)?.into_unmanaged_value();
    let output = artifact.render(RenderTarget::Svg(request())).map_err(failed)?;
    let RenderOutput::Svg(Some(svg)) = output else {
        return Err(place::at_start("no Mermaid diagram is here"));
    };
    Ok(Raw { kind, title, model, svg: svg.into_parts().0, ground })
}

/// Without and with stick figures.
static RENDERERS: LazyLock<[Renderer; 2]> = LazyLock::new(|| [renderer(false), renderer(true)]);

/// `figures`: a stick figure with its name is higher than a box needs to be.
fn renderer(figures: bool) -> Renderer {
    let config = json!({
        "theme": "default",
        "look": "classic",
        "layout": "dagre",
        "htmlLabels": false,
        "fontSize": FONT_SIZE,
        "themeVariables": variables(),
        "flowchart": {
            "htmlLabels": false,
            "diagramPadding": MARGIN,
            "minNodeWidth": 88,
            "nodeSpacing": 44,
            "padding": 14,
            "rankSpacing": 62,
            "subGraphTitleMargin": { "top": 6, "bottom": 10 },
            "wrappingWidth": 190,
        },
        "class": { "hideEmptyMembersBox": true },
        // Of classes, too. A pill stands beside the words of a line.
        "state": { "nodeSpacing": 58, "rankSpacing": 72 },
        "sequence": {
            "actorFontSize": FONT_SIZE,
            // Between two messages a pill has room.
            "boxMargin": 22,
            "diagramMarginX": MARGIN,
            "diagramMarginY": MARGIN,
            "height": if figures { 65 } else { 46 },
            "messageFontSize": FONT_SIZE,
            "noteFontSize": FONT_SIZE,
        },
    });
    Renderer::new().with_engine(Engine::new().with_site_config(MermaidConfig::from_value(config)))
}

/// Colours that merman writes into the drawing itself, where no class name stands for them.
fn variables() -> Value {
    let mut variables = json!({
        "fontSize": format!("{FONT_SIZE}px"),
        "xyChart": { "plotColorPalette": PALETTE.join(",") },
    });
    for (index, colour) in PALETTE.iter().enumerate() {
        variables[format!("pie{}", index + 1)] = json!(colour);
    }
    variables
}

fn request() -> SvgRequest {
    let mut request = SvgRequest {
        environment: SvgEnvironment::deterministic()
            .with_text_measurement_policy(measuring())
            .with_resource_policy(resources()),
        ..SvgRequest::default()
    };
    request.options.diagram_id = Some(RAW_ID.to_owned());
    request
}

fn resources() -> RenderResourcePolicy {
    let policy = RenderResourcePolicy::default();
    policy
        .with_override("max_layout_work_units", LAYOUT_STEPS_MAX)
        .expect("the limit exists and is not zero")
}

fn measuring() -> TextMeasurementPolicy {
    let measurer = DeterministicTextMeasurer::default().with_width_callback(|text, style| {
        metrics::width(text, style.font_size, bold(style.font_weight.as_deref()))
    });
    let profile = MeasurementProfileId::new("wide-sans").expect("the name is a constant");
    let identity =
        TextMeasurementProfileIdentity::new(profile, "1").expect("the version is a constant");
    TextMeasurementPolicy::uniform(TextMeasurementProfile::new(identity, measurer))
}

fn bold(weight: Option<&str>) -> bool {
    match weight {
        Some("bold" | "bolder") => true,
        Some(weight) => weight.parse().is_ok_and(|weight: u32| weight >= 600),
        None => false,
    }
}
