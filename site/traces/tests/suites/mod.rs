//! What the tests against other projects' data share: where it is, and OTLP/JSON as those projects
//! write it.

#![allow(dead_code, reason = "each test file uses its part")]

use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use serde_json::Value;
use std::io::Write as _;
use std::path::PathBuf;
use traces::Span;

/// The folder of a suite, or `None` with a message when it is not there.
pub(crate) fn suite(name: &str) -> Option<PathBuf> {
    let folder =
        PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../../shared/suites").join(name);
    if folder.is_dir() {
        return Some(folder);
    }
    std::io::stderr()
        .write_all(format!("SKIPPED: there is no ../shared/suites/{name}\n").as_bytes())
        .expect("standard error can be written to");
    None
}

/// The spans of a file.
pub(crate) fn spans(file: PathBuf) -> Vec<Span> {
    let text = std::fs::read_to_string(&file)
        .unwrap_or_else(|error| panic!("{}: {error}", file.display()));
    let mut json: Value = serde_json::from_str(&text).expect("valid JSON");
    as_otlp(&mut json);
    let request: ExportTraceServiceRequest = serde_json::from_value(json).expect("OTLP");
    let decoded = traces::decode_spans(request);
    assert_eq!(decoded.rejected, 0, "{}: {}", file.display(), decoded.message);
    decoded.items
}

/// Protobuf's own JSON, which some of the files are in, has ids in base64 and enums by name; OTLP's has
/// ids in hexadecimal and enums as numbers.
fn as_otlp(value: &mut Value) {
    match value {
        Value::Array(items) => items.iter_mut().for_each(as_otlp),
        Value::Object(fields) => {
            for (name, field) in fields {
                match (name.as_str(), field.as_str()) {
                    ("traceId" | "spanId" | "parentSpanId", Some(id)) => {
                        *field = hexadecimal(id).into()
                    }
                    ("kind", Some(kind)) => {
                        let kinds =
                            ["UNSPECIFIED", "INTERNAL", "SERVER", "CLIENT", "PRODUCER", "CONSUMER"];
                        let kind = kind.trim_start_matches("SPAN_KIND_");
                        *field =
                            kinds.iter().position(|name| *name == kind).expect("a kind").into();
                    }
                    ("code", Some(code)) => {
                        let codes = ["STATUS_CODE_UNSET", "STATUS_CODE_OK", "STATUS_CODE_ERROR"];
                        *field =
                            codes.iter().position(|name| *name == code).expect("a code").into();
                    }
                    _ => as_otlp(field),
                }
            }
        }
        _ => {}
    }
}

fn hexadecimal(id: &str) -> String {
    if matches!(id.len(), 0 | 16 | 32) && id.bytes().all(|byte| byte.is_ascii_hexdigit()) {
        return id.to_owned();
    }
    let digit = |byte: u8| match byte {
        b'A'..=b'Z' => byte - b'A',
        b'a'..=b'z' => byte - b'a' + 26,
        b'0'..=b'9' => byte - b'0' + 52,
        b'+' => 62,
        _ => 63,
    };
    let bits: String = id
        .bytes()
        .filter(|byte| *byte != b'=')
        .map(|byte| format!("{:06b}", digit(byte)))
        .collect();
    let whole = bits.len() / 8 * 8;
    let byte = |at: usize| u8::from_str_radix(&bits[at..at + 8], 2).expect("eight binary digits");
    (0..whole).step_by(8).map(|at| format!("{:02x}", byte(at))).collect()
}
