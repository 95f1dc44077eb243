//! CSS colours: which texts are some, and what they are as numbers. Only these reach a style sheet,
//! so nothing can be injected.
//!
//! `frontmatter` asks what is a colour; `checks` computes with them. Conversions follow CSS Color 4 and
//! Ottosson's Oklab; what lies outside of sRGB is cut off channel by channel, as browsers show it.

/// Longest colour accepted, in bytes.
const LENGTH_MAX: usize = 64;

/// Red, green, blue and opacity; 0 to 1.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Rgba {
    pub(crate) rgb: [f64; 3],
    pub(crate) alpha: f64,
}

/// Whether `text` is a hex colour, a colour function with plain numbers, or a colour's name.
pub(crate) fn is_colour(text: &str) -> bool {
    parse(text).is_some()
}

/// What a CSS colour is in sRGB.
pub(crate) fn parse(text: &str) -> Option<Rgba> {
    if text.len() > LENGTH_MAX || !text.is_ascii() {
        return None;
    }
    let text = text.trim().to_ascii_lowercase();
    if let Some(digits) = text.strip_prefix('#') {
        return hex(digits);
    }
    if let Some((name, rest)) = text.split_once('(') {
        return function(name, &arguments(rest.strip_suffix(')')?)?);
    }
    if text == "transparent" {
        return Some(Rgba { rgb: [0.0; 3], alpha: 0.0 });
    }
    let at = NAMES.binary_search_by_key(&text.as_str(), |(name, _)| name).ok()?;
    let value = NAMES[at].1;
    let part = |shift: u32| f64::from(value >> shift & 0xff) / 255.0;
    Some(Rgba { rgb: [part(16), part(8), part(0)], alpha: 1.0 })
}

fn hex(digits: &str) -> Option<Rgba> {
    let wide: String = match digits.len() {
        3 | 4 => digits.chars().flat_map(|digit| [digit, digit]).collect(),
        6 | 8 => digits.to_owned(),
        _ => return None,
    };
    let part = |at: usize| {
        let two = wide.get(at..at + 2).unwrap_or("ff");
        let sound = two.bytes().all(|b| b.is_ascii_hexdigit());
        sound.then(|| u8::from_str_radix(two, 16).ok()).flatten().map(|n| f64::from(n) / 255.0)
    };
    Some(Rgba { rgb: [part(0)?, part(2)?, part(4)?], alpha: part(6)? })
}

/// A number with its unit.
struct Number {
    value: f64,
    unit: String,
}

impl Number {
    /// The value where 100 % is `whole`.
    fn of(&self, whole: f64) -> f64 {
        if self.unit == "%" { self.value * whole / 100.0 } else { self.value }
    }

    fn degrees(&self) -> f64 {
        match self.unit.as_str() {
            "turn" => self.value * 360.0,
            "rad" => self.value.to_degrees(),
            "grad" => self.value * 0.9,
            _ => self.value,
        }
    }
}

/// Three numbers, and a fourth for opacity, between commas, spaces or a slash.
fn arguments(text: &str) -> Option<Vec<Number>> {
    let parts: Vec<&str> = text.split([',', ' ', '/']).filter(|part| !part.is_empty()).collect();
    if !matches!(parts.len(), 3 | 4) {
        return None;
    }
    parts.into_iter().map(number).collect()
}

fn number(text: &str) -> Option<Number> {
    if text == "none" {
        return Some(Number { value: 0.0, unit: String::new() });
    }
    let units = ["%", "deg", "grad", "turn", "rad"];
    let (digits, unit) =
        units.iter().find_map(|unit| Some((text.strip_suffix(unit)?, *unit))).unwrap_or((text, ""));
    let bare = digits.strip_prefix(['-', '+']).unwrap_or(digits);
    let sound = bare.bytes().any(|b| b.is_ascii_digit())
        && bare.bytes().all(|b| b.is_ascii_digit() || b == b'.')
        && bare.bytes().filter(|&b| b == b'.').count() <= 1;
    let value = sound.then(|| digits.parse().ok()).flatten()?;
    Some(Number { value, unit: unit.to_owned() })
}

fn function(name: &str, numbers: &[Number]) -> Option<Rgba> {
    let [one, two, three, ..] = numbers else { return None };
    let alpha = numbers.get(3).map_or(1.0, |alpha| alpha.of(1.0).clamp(0.0, 1.0));
    let rgb = match name {
        "rgb" | "rgba" => [one, two, three].map(|part| part.of(255.0) / 255.0),
        "hsl" | "hsla" => hsl(one.degrees(), two.value / 100.0, three.value / 100.0),
        "hwb" => {
            let (white, black) = (two.value / 100.0, three.value / 100.0);
            let sum = (white + black).max(1.0);
            let (white, black) = (white / sum, black / sum);
            hsl(one.degrees(), 1.0, 0.5).map(|part| part * (1.0 - white - black) + white)
        }
        "lab" => from_lab([one.of(100.0), two.of(125.0), three.of(125.0)]),
        "lch" => {
            let (chroma, hue) = (two.of(150.0), three.degrees().to_radians());
            from_lab([one.of(100.0), chroma * hue.cos(), chroma * hue.sin()])
        }
        "oklab" => from_oklab([one.of(1.0), two.of(0.4), three.of(0.4)]),
        "oklch" => from_oklch([one.of(1.0), two.of(0.4), three.degrees()]),
        _ => return None,
    };
    Some(Rgba { rgb: rgb.map(|part| part.clamp(0.0, 1.0)), alpha })
}

fn hsl(hue: f64, saturation: f64, lightness: f64) -> [f64; 3] {
    let (saturation, lightness) = (saturation.clamp(0.0, 1.0), lightness.clamp(0.0, 1.0));
    let reach = saturation * lightness.min(1.0 - lightness);
    [0.0, 8.0, 4.0].map(|offset| {
        let k = (offset + hue / 30.0).rem_euclid(12.0);
        lightness - reach * (k - 3.0).min(9.0 - k).clamp(-1.0, 1.0)
    })
}

/// CIE Lab on the white of D50, as CSS has it.
fn from_lab([l, a, b]: [f64; 3]) -> [f64; 3] {
    const EPSILON: f64 = 216.0 / 24_389.0;
    const KAPPA: f64 = 24_389.0 / 27.0;
    let fy = (l + 16.0) / 116.0;
    let cube = |f: f64| if f.powi(3) > EPSILON { f.powi(3) } else { (116.0 * f - 16.0) / KAPPA };
    let y = if l > KAPPA * EPSILON { fy.powi(3) } else { l / KAPPA };
    let (x, z) = (0.964_296 * cube(fy + a / 500.0), 0.825_105 * cube(fy - b / 200.0));
    // Bradford's adaptation from D50 to D65 and the primaries of sRGB in one matrix.
    [
        3.134_186 * x - 1.617_209 * y - 0.490_694 * z,
        -0.978_749 * x + 1.916_130 * y + 0.033_433 * z,
        0.071_964 * x - 0.228_994 * y + 1.405_754 * z,
    ]
    .map(encode)
}

/// Oklab with lightness 0 to 1 to sRGB, cut off where sRGB ends.
pub(crate) fn from_oklab([l, a, b]: [f64; 3]) -> [f64; 3] {
    let long = (l + 0.396_337_777_4 * a + 0.215_803_757_3 * b).powi(3);
    let middle = (l - 0.105_561_345_8 * a - 0.063_854_172_8 * b).powi(3);
    let short = (l - 0.089_484_177_5 * a - 1.291_485_548 * b).powi(3);
    [
        4.076_741_662_1 * long - 3.307_711_591_3 * middle + 0.230_969_929_2 * short,
        -1.268_438_004_6 * long + 2.609_757_401_1 * middle - 0.341_319_396_5 * short,
        -0.004_196_086_3 * long - 0.703_418_614_7 * middle + 1.707_614_701 * short,
    ]
    .map(|part| encode(part).clamp(0.0, 1.0))
}

/// sRGB to Oklab.
pub(crate) fn to_oklab(rgb: [f64; 3]) -> [f64; 3] {
    let [r, g, b] = rgb.map(decode);
    let long = (0.412_221_470_8 * r + 0.536_332_536_3 * g + 0.051_445_992_9 * b).cbrt();
    let middle = (0.211_903_498_2 * r + 0.680_699_545_1 * g + 0.107_396_956_6 * b).cbrt();
    let short = (0.088_302_461_9 * r + 0.281_718_837_6 * g + 0.629_978_700_5 * b).cbrt();
    [
        0.210_454_255_3 * long + 0.793_617_785 * middle - 0.004_072_046_8 * short,
        1.977_998_495_1 * long - 2.428_592_205 * middle + 0.450_593_709_9 * short,
        0.025_904_037_1 * long + 0.782_771_766_2 * middle - 0.808_675_766 * short,
    ]
}

/// Lightness, chroma and hue in degrees.
pub(crate) fn from_oklch([l, chroma, hue]: [f64; 3]) -> [f64; 3] {
    let hue = hue.to_radians();
    from_oklab([l, chroma * hue.cos(), chroma * hue.sin()])
}

/// Relative luminance as WCAG 2.2 defines it.
pub(crate) fn luminance(rgb: [f64; 3]) -> f64 {
    let [r, g, b] = rgb.map(decode);
    0.2126 * r + 0.7152 * g + 0.0722 * b
}

fn decode(part: f64) -> f64 {
    if part <= 0.040_45 { part / 12.92 } else { ((part + 0.055) / 1.055).powf(2.4) }
}

fn encode(part: f64) -> f64 {
    if part <= 0.003_130_8 { part * 12.92 } else { 1.055 * part.powf(1.0 / 2.4) - 0.055 }
}

/// `#rrggbb`.
pub(crate) fn to_hex(rgb: [f64; 3]) -> String {
    let [r, g, b] = rgb.map(|part| (part * 255.0).round().clamp(0.0, 255.0) as u8);
    format!("#{r:02x}{g:02x}{b:02x}")
}

/// CSS's names for colours, in order.
const NAMES: &[(&str, u32)] = &[
    ("aliceblue", 0xf0f8ff),
    ("antiquewhite", 0xfaebd7),
    ("aqua", 0x00ffff),
    ("aquamarine", 0x7fffd4),
    ("azure", 0xf0ffff),
    ("beige", 0xf5f5dc),
    ("bisque", 0xffe4c4),
    ("black", 0x000000),
    ("blanchedalmond", 0xffebcd),
    ("blue", 0x0000ff),
    ("blueviolet", 0x8a2be2),
    ("brown", 0xa52a2a),
    ("burlywood", 0xdeb887),
    ("cadetblue", 0x5f9ea0),
    ("chartreuse", 0x7fff00),
    ("chocolate", 0xd2691e),
    ("coral", 0xff7f50),
    ("cornflowerblue", 0x6495ed),
    ("cornsilk", 0xfff8dc),
    ("crimson", 0xdc143c),
    ("cyan", 0x00ffff),
    ("darkblue", 0x00008b),
    ("darkcyan", 0x008b8b),
    ("darkgoldenrod", 0xb8860b),
    ("darkgray", 0xa9a9a9),
    ("darkgreen", 0x006400),
    ("darkgrey", 0xa9a9a9),
    ("darkkhaki", 0xbdb76b),
    ("darkmagenta", 0x8b008b),
    ("darkolivegreen", 0x556b2f),
    ("darkorange", 0xff8c00),
    ("darkorchid", 0x9932cc),
    ("darkred", 0x8b0000),
    ("darksalmon", 0xe9967a),
    ("darkseagreen", 0x8fbc8f),
    ("darkslateblue", 0x483d8b),
    ("darkslategray", 0x2f4f4f),
    ("darkslategrey", 0x2f4f4f),
    ("darkturquoise", 0x00ced1),
    ("darkviolet", 0x9400d3),
    ("deeppink", 0xff1493),
    ("deepskyblue", 0x00bfff),
    ("dimgray", 0x696969),
    ("dimgrey", 0x696969),
    ("dodgerblue", 0x1e90ff),
    ("firebrick", 0xb22222),
    ("floralwhite", 0xfffaf0),
    ("forestgreen", 0x228b22),
    ("fuchsia", 0xff00ff),
    ("gainsboro", 0xdcdcdc),
    ("ghostwhite", 0xf8f8ff),
    ("gold", 0xffd700),
    ("goldenrod", 0xdaa520),
    ("gray", 0x808080),
    ("green", 0x008000),
    ("greenyellow", 0xadff2f),
    ("grey", 0x808080),
    ("honeydew", 0xf0fff0),
    ("hotpink", 0xff69b4),
    ("indianred", 0xcd5c5c),
    ("indigo", 0x4b0082),
    ("ivory", 0xfffff0),
    ("khaki", 0xf0e68c),
    ("lavender", 0xe6e6fa),
    ("lavenderblush", 0xfff0f5),
    ("lawngreen", 0x7cfc00),
    ("lemonchiffon", 0xfffacd),
    ("lightblue", 0xadd8e6),
    ("lightcoral", 0xf08080),
    ("lightcyan", 0xe0ffff),
    ("lightgoldenrodyellow", 0xfafad2),
    ("lightgray", 0xd3d3d3),
    ("lightgreen", 0x90ee90),
    ("lightgrey", 0xd3d3d3),
    ("lightpink", 0xffb6c1),
    ("lightsalmon", 0xffa07a),
    ("lightseagreen", 0x20b2aa),
    ("lightskyblue", 0x87cefa),
    ("lightslategray", 0x778899),
    ("lightslategrey", 0x778899),
    ("lightsteelblue", 0xb0c4de),
    ("lightyellow", 0xffffe0),
    ("lime", 0x00ff00),
    ("limegreen", 0x32cd32),
    ("linen", 0xfaf0e6),
    ("magenta", 0xff00ff),
    ("maroon", 0x800000),
    ("mediumaquamarine", 0x66cdaa),
    ("mediumblue", 0x0000cd),
    ("mediumorchid", 0xba55d3),
    ("mediumpurple", 0x9370db),
    ("mediumseagreen", 0x3cb371),
    ("mediumslateblue", 0x7b68ee),
    ("mediumspringgreen", 0x00fa9a),
    ("mediumturquoise", 0x48d1cc),
    ("mediumvioletred", 0xc71585),
    ("midnightblue", 0x191970),
    ("mintcream", 0xf5fffa),
    ("mistyrose", 0xffe4e1),
    ("moccasin", 0xffe4b5),
    ("navajowhite", 0xffdead),
    ("navy", 0x000080),
    ("oldlace", 0xfdf5e6),
    ("olive", 0x808000),
    ("olivedrab", 0x6b8e23),
    ("orange", 0xffa500),
    ("orangered", 0xff4500),
    ("orchid", 0xda70d6),
    ("palegoldenrod", 0xeee8aa),
    ("palegreen", 0x98fb98),
    ("paleturquoise", 0xafeeee),
    ("palevioletred", 0xdb7093),
    ("papayawhip", 0xffefd5),
    ("peachpuff", 0xffdab9),
    ("peru", 0xcd853f),
    ("pink", 0xffc0cb),
    ("plum", 0xdda0dd),
    ("powderblue", 0xb0e0e6),
    ("purple", 0x800080),
    ("rebeccapurple", 0x663399),
    ("red", 0xff0000),
    ("rosybrown", 0xbc8f8f),
    ("royalblue", 0x4169e1),
    ("saddlebrown", 0x8b4513),
    ("salmon", 0xfa8072),
    ("sandybrown", 0xf4a460),
    ("seagreen", 0x2e8b57),
    ("seashell", 0xfff5ee),
    ("sienna", 0xa0522d),
    ("silver", 0xc0c0c0),
    ("skyblue", 0x87ceeb),
    ("slateblue", 0x6a5acd),
    ("slategray", 0x708090),
    ("slategrey", 0x708090),
    ("snow", 0xfffafa),
    ("springgreen", 0x00ff7f),
    ("steelblue", 0x4682b4),
    ("tan", 0xd2b48c),
    ("teal", 0x008080),
    ("thistle", 0xd8bfd8),
    ("tomato", 0xff6347),
    ("turquoise", 0x40e0d0),
    ("violet", 0xee82ee),
    ("wheat", 0xf5deb3),
    ("white", 0xffffff),
    ("whitesmoke", 0xf5f5f5),
    ("yellow", 0xffff00),
    ("yellowgreen", 0x9acd32),
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn colours() {
        for (text, expected) in [
            ("#059669", true),
            ("#fff", true),
            ("#FFFFFFCC", true),
            ("#ff", false),
            ("#ggg", false),
            ("rgb(1, 2, 3)", true),
            ("rgb(1 2 3 / 50%)", true),
            ("hsl(120deg 50% 50%)", true),
            ("oklch(0.7 0.1 200)", true),
            ("RebeccaPurple", true),
            ("transparent", true),
            ("greenish", false),
            ("red; background: url(x)", false),
            ("rgb(1,2,3);}body{", false),
            ("rgb(url(x) 2 3)", false),
            ("var(--x)", false),
            ("", false),
            ("light gray", false),
        ] {
            assert_eq!(is_colour(text), expected, "{text}");
        }
    }

    #[test]
    fn values() {
        for (text, hex) in [
            ("#fff", "#ffffff"),
            ("#059669", "#059669"),
            ("rebeccapurple", "#663399"),
            ("yellowgreen", "#9acd32"),
            ("aliceblue", "#f0f8ff"),
            ("rgb(5 150 105)", "#059669"),
            ("rgb(100%, 0%, 50%)", "#ff0080"),
            ("hsl(120deg 100% 25%)", "#008000"),
            ("hsl(0.5turn 50% 50%)", "#40bfbf"),
            ("hwb(0 50% 0%)", "#ff8080"),
            ("lab(50 0 0)", "#777777"),
            ("lch(29.2345% 44.2 27)", "#7d2329"),
            ("oklab(1 0 0)", "#ffffff"),
            ("oklch(0.628 0.2577 29.23)", "#ff0000"),
        ] {
            let colour = parse(text).unwrap_or_else(|| panic!("{text}"));
            assert_eq!(to_hex(colour.rgb), hex, "{text}");
        }
        assert_eq!(parse("#00000080").map(|c| (c.alpha * 100.0).round()), Some(50.0));
        for (name, value) in NAMES {
            let text = format!("#{value:06x}");
            let there = to_hex(parse(name).unwrap_or_else(|| panic!("{name} is found")).rgb);
            assert_eq!(there, text, "{name}");
            assert_eq!(to_hex(from_oklab(to_oklab(parse(name).expect("found").rgb))), text);
        }
    }
}
