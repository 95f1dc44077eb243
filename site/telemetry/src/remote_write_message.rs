//! The protobuf message of remote write 1.0 (`prometheus.WriteRequest`), read in place.
//!
//! `remote_write` hands in an unpacked body. Labels stay the bytes that they are, because of nearly all series they are known
//! already; nothing is copied.

use crate::MetricKind;
use series::Sample;

/// Bytes of one varint at most.
const VARINT_BYTES: usize = 10;
const NOT_WHOLE: &str = "it ends within a field";

/// A request.
#[derive(Debug, Default)]
pub(crate) struct Request<'a> {
    pub(crate) series: Vec<Series<'a>>,
    pub(crate) metadata: Vec<Metadata<'a>>,
    /// Samples of native histograms.
    pub(crate) histograms: usize,
}

/// The samples of one series.
#[derive(Debug)]
pub(crate) struct Series<'a> {
    /// The label fields, one after the other; see [`labels`].
    pub(crate) labels: &'a [u8],
    /// The fields behind them, of which the samples were read once.
    rest: &'a [u8],
}

/// What a metric says of itself.
#[derive(Debug, Default)]
pub(crate) struct Metadata<'a> {
    pub(crate) kind: MetricKind,
    pub(crate) family: &'a str,
    pub(crate) help: &'a str,
    pub(crate) unit: &'a str,
}

/// The value of a field.
#[derive(Debug, Clone, Copy)]
enum Value<'a> {
    Number(u64),
    Fixed(u64),
    Bytes(&'a [u8]),
}

type Read<T> = Result<T, &'static str>;

impl<'a> Request<'a> {
    /// Reads a message.
    pub(crate) fn read(mut input: &'a [u8]) -> Read<Self> {
        let mut request = Self::default();
        while let Some((number, value)) = field(&mut input)? {
            match (number, value) {
                (1, Value::Bytes(bytes)) => {
                    let (series, histograms) = Series::read(bytes)?;
                    request.histograms += histograms;
                    request.series.push(series);
                }
                (3, Value::Bytes(bytes)) => request.metadata.push(Metadata::read(bytes)?),
                _ => {}
            }
        }
        Ok(request)
    }
}

impl<'a> Series<'a> {
    /// Reads a `TimeSeries`; gives the number of histogram samples, too.
    fn read(input: &'a [u8]) -> Read<(Self, usize)> {
        let (mut left, mut labels_end, mut histograms) = (input, 0, 0);
        let mut over = false;
        while let Some((number, value)) = field(&mut left)? {
            match (number, value) {
                (1, _) if over => return Err("a series has labels behind its samples"),
                (1, _) => labels_end = input.len() - left.len(),
                (2, Value::Bytes(bytes)) => {
                    sample(bytes)?;
                }
                (4, Value::Bytes(_)) => histograms += 1,
                _ => {}
            }
            over = number != 1;
        }
        let (labels, rest) = input.split_at(labels_end);
        Ok((Self { labels, rest }, histograms))
    }

    /// The samples.
    pub(crate) fn samples(&self) -> impl Iterator<Item = Sample> + use<'a> {
        let mut rest = self.rest;
        // All of it was read once before, so there is nothing to report.
        let fields = std::iter::from_fn(move || field(&mut rest).ok().flatten());
        fields.filter_map(|(number, value)| match (number, value) {
            (2, Value::Bytes(bytes)) => sample(bytes).ok(),
            _ => None,
        })
    }
}

/// Names and values of label fields.
pub(crate) fn labels(mut input: &[u8]) -> Read<Vec<(&str, &str)>> {
    let mut pairs = Vec::new();
    while let Some((_, value)) = field(&mut input)? {
        let Value::Bytes(mut label) = value else { continue };
        let (mut name, mut text_value) = ("", "");
        while let Some((number, value)) = field(&mut label)? {
            match number {
                1 => name = text(value)?,
                2 => text_value = text(value)?,
                _ => {}
            }
        }
        if name.is_empty() {
            return Err("a label has no name");
        }
        pairs.push((name, text_value));
    }
    if pairs.is_empty() { Err("a series has no labels") } else { Ok(pairs) }
}

fn sample(mut input: &[u8]) -> Read<Sample> {
    let mut sample = Sample { t: 0, v: 0.0 };
    while let Some((number, value)) = field(&mut input)? {
        match (number, value) {
            (1, Value::Fixed(bits)) => sample.v = f64::from_bits(bits),
            (2, Value::Number(t)) => sample.t = t as i64,
            _ => {}
        }
    }
    Ok(sample)
}

impl<'a> Metadata<'a> {
    fn read(mut input: &'a [u8]) -> Read<Self> {
        let mut metadata = Self::default();
        while let Some((number, value)) = field(&mut input)? {
            match (number, value) {
                (1, Value::Number(kind)) => metadata.kind = kind_of(kind),
                (2, value) => metadata.family = text(value)?,
                (4, value) => metadata.help = text(value)?,
                (5, value) => metadata.unit = text(value)?,
                _ => {}
            }
        }
        Ok(metadata)
    }
}

fn kind_of(number: u64) -> MetricKind {
    match number {
        1 => MetricKind::Counter,
        2 => MetricKind::Gauge,
        3 => MetricKind::Histogram,
        4 => MetricKind::GaugeHistogram,
        5 => MetricKind::Summary,
        6 => MetricKind::Info,
        7 => MetricKind::StateSet,
        _ => MetricKind::Unknown,
    }
}

fn text<'a>(value: Value<'a>) -> Read<&'a str> {
    match value {
        Value::Bytes(bytes) => std::str::from_utf8(bytes).map_err(|_| "a text is not UTF-8"),
        _ => Err("a text is a number"),
    }
}

/// The next field: its number and its value; `None` at the end.
fn field<'a>(input: &mut &'a [u8]) -> Read<Option<(u64, Value<'a>)>> {
    if input.is_empty() {
        return Ok(None);
    }
    let key = varint(input)?;
    let value = match key & 7 {
        0 => Value::Number(varint(input)?),
        1 => {
            let (bits, rest) = input.split_first_chunk().ok_or(NOT_WHOLE)?;
            *input = rest;
            Value::Fixed(u64::from_le_bytes(*bits))
        }
        2 => {
            let length = usize::try_from(varint(input)?).map_err(|_| NOT_WHOLE)?;
            let (bytes, rest) = input.split_at_checked(length).ok_or(NOT_WHOLE)?;
            *input = rest;
            Value::Bytes(bytes)
        }
        5 => {
            let (bits, rest) = input.split_first_chunk().ok_or(NOT_WHOLE)?;
            *input = rest;
            Value::Fixed(u64::from(u32::from_le_bytes(*bits)))
        }
        _ => return Err("a field has an unknown type"),
    };
    Ok(Some((key >> 3, value)))
}

fn varint(input: &mut &[u8]) -> Read<u64> {
    let mut value = 0;
    for (at, byte) in input.iter().take(VARINT_BYTES).enumerate() {
        value |= u64::from(byte & 0x7f) << (7 * at);
        if byte & 0x80 == 0 {
            *input = &input[at + 1..];
            return Ok(value);
        }
    }
    Err("a number does not end")
}
