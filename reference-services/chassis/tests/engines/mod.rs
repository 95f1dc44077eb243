//! Which engines the tests of services run on: those in the process, or with
//! the environment's `CLOUDSCALE_TEST_POSTGRES` (the URL of a server on which
//! databases may be made) a database of their own there. `tests/run` lets the
//! same tests run on the one and then on the other. Several crates' tests
//! include this file.

#![allow(clippy::unwrap_used, dead_code, missing_docs, unreachable_pub)]

use std::path::Path;

use chassis::Config;
use chassis::config::{Engines, Secret, Servers};
use sqlx::postgres::PgConnectOptions;
use sqlx::sqlite::SqliteConnectOptions;
use sqlx::{AssertSqlSafe, ConnectOptions, Connection};
use uuid::Uuid;

const SERVER: &str = "CLOUDSCALE_TEST_POSTGRES";

/// The server, if tests run on one.
pub fn server() -> Option<PgConnectOptions> {
    let url = std::env::var(SERVER).ok().filter(|url| !url.is_empty())?;
    Some(url.parse().expect("tests/run gives a URL"))
}

/// As [`server`], with a message when there is none.
pub fn server_or_skip() -> Option<PgConnectOptions> {
    let server = server();
    if server.is_none() {
        eprintln!("SKIPPED: `{SERVER}` names no PostgreSQL server; ./tests/run starts one");
    }
    server
}

/// Engines with nothing in them.
pub async fn fresh() -> Engines {
    match server() {
        Some(server) => database(&server).await,
        None => Engines::Embedded,
    }
}

/// A database with nothing in it.
pub async fn database(server: &PgConnectOptions) -> Engines {
    let name = format!("test_{}", Uuid::now_v7().simple());
    let mut connection = server.connect().await.unwrap();
    let create = AssertSqlSafe(format!("CREATE DATABASE {name}"));
    sqlx::query(create).execute(&mut connection).await.unwrap();
    connection.close().await.unwrap();
    on(&server.clone().database(&name))
}

/// The engines of a database.
pub fn on(database: &PgConnectOptions) -> Engines {
    let postgres = Secret::new(database.to_url_lossy().as_str());
    Engines::Servers(Servers { postgres, redis: None })
}

/// What traces and figures call the database.
pub fn system(engines: &Engines) -> &'static str {
    match engines {
        Engines::Embedded => "sqlite",
        Engines::Servers(_) => "postgresql",
    }
}

/// A service's settings on these engines, with its folder below `folder`.
pub fn config(name: &str, folder: &Path, engines: &Engines) -> Config {
    let mut config = Config::read(name, |_| None).unwrap();
    config.data_dir = folder.join(name);
    config.engines = engines.clone();
    config
}

/// What a service's process has to know of these engines.
pub fn environment(engines: &Engines) -> Vec<(&'static str, String)> {
    use chassis::config::variables;
    match engines {
        Engines::Embedded => Vec::new(),
        Engines::Servers(servers) => vec![
            (variables::ENGINES, "servers".to_owned()),
            (variables::POSTGRES, servers.postgres.expose().to_owned()),
        ],
    }
}

/// Changes a service's database behind its back.
pub async fn meddle(config: &Config, sql: String) {
    let sql = AssertSqlSafe(sql);
    match &config.engines {
        Engines::Embedded => {
            let file = config.data_dir.join(format!("{}.sqlite", config.service));
            let mut connection =
                SqliteConnectOptions::new().filename(file).connect().await.unwrap();
            sqlx::query(sql).execute(&mut connection).await.unwrap();
            connection.close().await.unwrap();
        }
        Engines::Servers(servers) => {
            let options: PgConnectOptions = servers.postgres.expose().parse().unwrap();
            let schema = format!("{}_db", config.service);
            let options = options.options([("search_path", schema)]);
            let mut connection = options.connect().await.unwrap();
            sqlx::query(sql).execute(&mut connection).await.unwrap();
            connection.close().await.unwrap();
        }
    }
}

/// All that a service keeps, as it lies there: its files, and on a server the
/// rows of its tables, each under its name.
pub async fn kept(config: &Config) -> Vec<(String, Vec<u8>)> {
    let mut kept = Vec::new();
    for entry in std::fs::read_dir(&config.data_dir).unwrap() {
        let path = entry.unwrap().path();
        kept.push((path.display().to_string(), std::fs::read(&path).unwrap()));
    }
    let Engines::Servers(servers) = &config.engines else { return kept };
    let options: PgConnectOptions = servers.postgres.expose().parse().unwrap();
    let mut connection = options.connect().await.unwrap();
    let tables = "SELECT format('%I.%I', schemaname, tablename) FROM pg_tables
                  WHERE schemaname = $1";
    let schema = format!("{}_db", config.service);
    let tables: Vec<String> =
        sqlx::query_scalar(tables).bind(schema).fetch_all(&mut connection).await.unwrap();
    for table in tables {
        let rows = AssertSqlSafe(format!("SELECT t::TEXT FROM {table} AS t"));
        let rows: Vec<String> = sqlx::query_scalar(rows).fetch_all(&mut connection).await.unwrap();
        kept.push((table, rows.join("\n").into_bytes()));
    }
    connection.close().await.unwrap();
    kept
}
