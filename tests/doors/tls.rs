//! Targets that speak TLS and want to know who asks: `loggia serve` scrapes them with the authority, the token or the
//! password that `book.toml` names, and says what is wrong with the others.

use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair};
use rustls::pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer};
use rustls::{ServerConfig, ServerConnection, StreamOwned};
use serde_json::Value;
use std::io::{Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::process::Command;
use std::sync::Arc;
use std::time::Duration;
use tests::{Program, binary, free_port, get, within};

const SOON: Duration = Duration::from_secs(60);
const METRICS: &str = "# TYPE shop_orders gauge\nshop_orders 42\n";
/// `clerk:open sesame`, as HTTP packs it.
const PACKED: &str = "Basic Y2xlcms6b3BlbiBzZXNhbWU=";

/// A server for `localhost` with a certificate of an authority of its own.
struct Secured {
    port: u16,
    /// The authority's certificate, as PEM.
    authority: String,
}

impl Secured {
    /// One that answers only to requests with the header.
    fn start(authorization: Option<&'static str>) -> Self {
        let mut params = CertificateParams::new(Vec::new()).unwrap();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let authority = CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap();
        let key = KeyPair::generate().unwrap();
        let own = CertificateParams::new(vec!["localhost".to_owned()]).unwrap();
        let certificate = own.signed_by(&key, &authority).unwrap();
        let private = PrivateKeyDer::from(PrivatePkcs8KeyDer::from(key.serialize_der()));
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let config = ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_no_client_auth()
            .with_single_cert(vec![certificate.der().clone()], private)
            .unwrap();
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let config = Arc::new(config);
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let config = config.clone();
                // A client that trusts nobody goes away in the middle.
                std::thread::spawn(move || answer(stream, config, authorization).ok());
            }
        });
        Self { port, authority: authority.as_ref().pem() }
    }
}

fn answer(
    stream: TcpStream,
    config: Arc<ServerConfig>,
    authorization: Option<&str>,
) -> std::io::Result<()> {
    let connection = ServerConnection::new(config).map_err(std::io::Error::other)?;
    let mut stream = StreamOwned::new(connection, stream);
    let mut request = Vec::new();
    while !request.ends_with(b"\r\n\r\n") {
        let mut byte = [0];
        stream.read_exact(&mut byte)?;
        request.push(byte[0]);
    }
    let request = String::from_utf8_lossy(&request);
    let known = |wanted: &str| request.contains(&format!("authorization: {wanted}\r\n"));
    let (status, body) = match authorization.is_none_or(known) {
        true => ("200 OK", METRICS),
        false => ("401 Unauthorized", "who are you?"),
    };
    write!(
        stream,
        "HTTP/1.1 {status}\r\ncontent-type: text/plain\r\ncontent-length: {}\r\nconnection: close\r\n\r\n{body}",
        body.len()
    )?;
    stream.flush()
}

#[test]
fn targets_behind_tls_and_passwords_are_scraped() {
    let [plain, token, password] = [None, Some("Bearer s3cret"), Some(PACKED)].map(Secured::start);
    let folder = tempfile::tempdir().unwrap();
    let write = |name: &str, text: &str| std::fs::write(folder.path().join(name), text).unwrap();
    write("ca.pem", &plain.authority);
    write("ca-token.pem", &token.authority);
    write("ca-password.pem", &password.authority);
    write("empty.pem", "");
    write("token", "s3cret\n");
    let target = |job: &str, secured: &Secured, more: &str| {
        format!("{{ job = \"{job}\", url = \"https://localhost:{}\"{more} }},\n", secured.port)
    };
    let scrape = [
        target("trusted", &plain, ", ca-file = \"ca.pem\""),
        target("careless", &plain, ", insecure-skip-verify = true"),
        target("stranger", &plain, ""),
        target("other", &plain, ", ca-file = \"ca-token.pem\""),
        target("nobody", &plain, ", ca-file = \"empty.pem\""),
        target("token", &token, ", ca-file = \"ca-token.pem\", bearer-file = \"token\""),
        target(
            "password",
            &password,
            ", ca-file = \"ca-password.pem\", username = \"clerk\", password-env = \"CLERK\"",
        ),
        target("anonymous", &token, ", ca-file = \"ca-token.pem\""),
        target("forgotten", &token, ", ca-file = \"ca-token.pem\", bearer-env = \"NO_SUCH_TOKEN\""),
    ]
    .concat();
    write(
        "book.toml",
        &format!("[book]\nsrc = \".\"\n[output.loggia]\ndata-dir = false\nscrape = [\n{scrape}]\n"),
    );
    write("index.md", "# Shop\n");
    let port = free_port();
    let mut command = Command::new(binary("loggia"));
    command.arg("serve").arg(folder.path()).args(["--no-watch", "--port", &port.to_string()]);
    command.args(["--otlp-grpc-port", "0", "--otlp-http-port", "0"]);
    let mut program = Program::start(command.env("CLERK", "open sesame")).unwrap();
    program.wait_for("Ctrl-C", SOON).unwrap();
    check(&format!("http://127.0.0.1:{port}/prometheus/api/v1"));
}

fn check(api: &str) {
    let targets = || -> Vec<Value> {
        let found = get(&format!("{api}/targets")).unwrap().json().unwrap();
        found["data"]["activeTargets"].as_array().unwrap().clone()
    };
    within("all are asked", SOON, || {
        let targets = targets();
        targets.len() == 9 && targets.iter().all(|target| target["health"] != "unknown")
    });
    for (job, wrong) in [
        ("trusted", ""),
        ("careless", ""),
        ("token", ""),
        ("password", ""),
        ("stranger", "certificate"),
        ("other", "certificate"),
        ("nobody", "has no certificates"),
        ("anonymous", "401 Unauthorized"),
        ("forgotten", "there is no variable `NO_SUCH_TOKEN` with the token"),
    ] {
        let told = || {
            let targets = targets();
            let target = targets.iter().find(|target| target["labels"]["job"] == job).unwrap();
            assert!(target["scrapeUrl"].as_str().unwrap().starts_with("https://localhost:"));
            target["lastError"].as_str().unwrap().to_owned()
        };
        within(&format!("`{job}` tells `{wrong}`, not `{}`", told()), SOON, || match wrong {
            "" => told().is_empty(),
            _ => told().contains(wrong),
        });
        let query = format!("{api}/query?query=shop_orders%7Bjob%3D%22{job}%22%7D");
        let value = get(&query).unwrap().json().unwrap()["data"]["result"][0]["value"][1].clone();
        assert_eq!(value == "42", wrong.is_empty(), "{job}: {value}");
    }
}
