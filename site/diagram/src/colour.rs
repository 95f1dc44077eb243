//! Colours as an author may write them, and which text can be read on them. `css` and `polish` ask.

/// Smallest contrast of a label against its box (WCAG 2.2, level AA).
pub(crate) const READABLE: f64 = 4.5;

/// The text colours to choose from on an author's fill.
const INKS: [&str; 2] = ["#ffffff", "#111827"];

/// Red, green, blue from 0 to 255 and alpha from 0 to 1.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Colour {
    pub(crate) red: f64,
    pub(crate) green: f64,
    pub(crate) blue: f64,
    pub(crate) alpha: f64,
}

/// Reads `#abc`, `#aabbccdd`, `rgb()`, `rgba()`, `hsl()`, `hsla()` and the names of CSS.
pub(crate) fn parse(text: &str) -> Option<Colour> {
    let text = text.trim().to_ascii_lowercase();
    if let Some(digits) = text.strip_prefix('#') {
        return from_hex(digits);
    }
    if let Some((name, rest)) = text.split_once('(') {
        return from_function(name.trim(), rest.strip_suffix(')')?);
    }
    if text == "transparent" {
        return Some(opaque(0.0, 0.0, 0.0).with_alpha(0.0));
    }
    let index = NAMES.binary_search_by(|(name, _)| (*name).cmp(&text)).ok()?;
    let value = NAMES.get(index)?.1;
    let channel = |shift: u32| f64::from((value >> shift) & 0xff);
    Some(opaque(channel(16), channel(8), channel(0)))
}

/// Contrast of two opaque colours, from 1 to 21.
pub(crate) fn contrast(one: Colour, other: Colour) -> f64 {
    let (one, other) = (luminance(one), luminance(other));
    (one.max(other) + 0.05) / (one.min(other) + 0.05)
}

/// The colour of text on `fill`: what the author asked for when it can be read, else the ink with
/// the greatest contrast. Nothing for a fill that mostly lets the page shine through.
pub(crate) fn ink_on(fill: &str, asked: Option<&str>) -> Option<String> {
    let fill = parse(fill).filter(|fill| fill.alpha >= 0.5)?;
    if let Some(asked) = asked
        && parse(asked).is_some_and(|ink| contrast(ink, fill) >= READABLE)
    {
        return Some(asked.to_owned());
    }
    INKS.iter()
        .filter_map(|ink| Some((*ink, contrast(parse(ink)?, fill))))
        .max_by(|one, other| one.1.total_cmp(&other.1))
        .map(|(ink, _)| ink.to_owned())
}

impl Colour {
    fn with_alpha(self, alpha: f64) -> Self {
        Self { alpha: alpha.clamp(0.0, 1.0), ..self }
    }
}

fn opaque(red: f64, green: f64, blue: f64) -> Colour {
    Colour {
        red: red.clamp(0.0, 255.0),
        green: green.clamp(0.0, 255.0),
        blue: blue.clamp(0.0, 255.0),
        alpha: 1.0,
    }
}

fn from_hex(digits: &str) -> Option<Colour> {
    if !digits.bytes().all(|byte| byte.is_ascii_hexdigit()) {
        return None;
    }
    let step = match digits.len() {
        3 | 4 => 1,
        6 | 8 => 2,
        _ => return None,
    };
    let channel = |index: usize| -> Option<f64> {
        let part = digits.get(index * step..(index + 1) * step)?;
        let value = f64::from(u8::from_str_radix(part, 16).ok()?);
        Some(if step == 1 { value * 17.0 } else { value })
    };
    let colour = opaque(channel(0)?, channel(1)?, channel(2)?);
    Some(match channel(3) {
        Some(alpha) => colour.with_alpha(alpha / 255.0),
        None => colour,
    })
}

fn from_function(name: &str, arguments: &str) -> Option<Colour> {
    let parts: Vec<&str> =
        arguments.split([',', '/', ' ']).filter(|part| !part.is_empty()).collect();
    let number = |index: usize| parts.get(index).and_then(|part| amount(part));
    let alpha = match parts.get(3) {
        Some(part) if part.ends_with('%') => amount(part)? / 100.0,
        Some(part) => amount(part)?,
        None => 1.0,
    };
    let scale = |index: usize| -> Option<f64> {
        let percent = parts.get(index)?.ends_with('%');
        number(index).map(|value| if percent { value * 2.55 } else { value })
    };
    match name {
        "rgb" | "rgba" => Some(opaque(scale(0)?, scale(1)?, scale(2)?).with_alpha(alpha)),
        "hsl" | "hsla" => Some(from_hsl(number(0)?, number(1)?, number(2)?).with_alpha(alpha)),
        _ => None,
    }
}

fn amount(part: &str) -> Option<f64> {
    let digits = part.trim_end_matches('%').trim_end_matches("deg");
    digits.parse().ok().filter(|value: &f64| value.is_finite())
}

fn from_hsl(hue: f64, saturation: f64, lightness: f64) -> Colour {
    let (saturation, lightness) =
        ((saturation / 100.0).clamp(0.0, 1.0), (lightness / 100.0).clamp(0.0, 1.0));
    let reach = saturation * lightness.min(1.0 - lightness);
    let channel = |offset: f64| {
        let turn = (offset + hue.rem_euclid(360.0) / 30.0) % 12.0;
        255.0 * (lightness - reach * (turn - 3.0).min(9.0 - turn).clamp(-1.0, 1.0))
    };
    opaque(channel(0.0), channel(8.0), channel(4.0))
}

fn luminance(colour: Colour) -> f64 {
    let linear = |channel: f64| {
        let value = channel / 255.0;
        if value <= 0.04045 { value / 12.92 } else { ((value + 0.055) / 1.055).powf(2.4) }
    };
    0.2126 * linear(colour.red) + 0.7152 * linear(colour.green) + 0.0722 * linear(colour.blue)
}

/// The named colours of CSS, sorted, with their value as `0xRRGGBB`.
#[rustfmt::skip]
const NAMES: [(&str, u32); 148] = [
    ("aliceblue", 0xf0f8ff), ("antiquewhite", 0xfaebd7), ("aqua", 0x00ffff),
    ("aquamarine", 0x7fffd4), ("azure", 0xf0ffff), ("beige", 0xf5f5dc), ("bisque", 0xffe4c4),
    ("black", 0x000000), ("blanchedalmond", 0xffebcd), ("blue", 0x0000ff), ("blueviolet", 0x8a2be2),
    ("brown", 0xa52a2a), ("burlywood", 0xdeb887), ("cadetblue", 0x5f9ea0), ("chartreuse", 0x7fff00),
    ("chocolate", 0xd2691e), ("coral", 0xff7f50), ("cornflowerblue", 0x6495ed),
    ("cornsilk", 0xfff8dc), ("crimson", 0xdc143c), ("cyan", 0x00ffff), ("darkblue", 0x00008b),
    ("darkcyan", 0x008b8b), ("darkgoldenrod", 0xb8860b), ("darkgray", 0xa9a9a9),
    ("darkgreen", 0x006400), ("darkgrey", 0xa9a9a9), ("darkkhaki", 0xbdb76b),
    ("darkmagenta", 0x8b008b), ("darkolivegreen", 0x556b2f), ("darkorange", 0xff8c00),
    ("darkorchid", 0x9932cc), ("darkred", 0x8b0000), ("darksalmon", 0xe9967a),
    ("darkseagreen", 0x8fbc8f), ("darkslateblue", 0x483d8b), ("darkslategray", 0x2f4f4f),
    ("darkslategrey", 0x2f4f4f), ("darkturquoise", 0x00ced1), ("darkviolet", 0x9400d3),
    ("deeppink", 0xff1493), ("deepskyblue", 0x00bfff), ("dimgray", 0x696969), ("dimgrey", 0x696969),
    ("dodgerblue", 0x1e90ff), ("firebrick", 0xb22222), ("floralwhite", 0xfffaf0),
    ("forestgreen", 0x228b22), ("fuchsia", 0xff00ff), ("gainsboro", 0xdcdcdc),
    ("ghostwhite", 0xf8f8ff), ("gold", 0xffd700), ("goldenrod", 0xdaa520), ("gray", 0x808080),
    ("green", 0x008000), ("greenyellow", 0xadff2f), ("grey", 0x808080), ("honeydew", 0xf0fff0),
    ("hotpink", 0xff69b4), ("indianred", 0xcd5c5c), ("indigo", 0x4b0082), ("ivory", 0xfffff0),
    ("khaki", 0xf0e68c), ("lavender", 0xe6e6fa), ("lavenderblush", 0xfff0f5),
    ("lawngreen", 0x7cfc00), ("lemonchiffon", 0xfffacd), ("lightblue", 0xadd8e6),
    ("lightcoral", 0xf08080), ("lightcyan", 0xe0ffff), ("lightgoldenrodyellow", 0xfafad2),
    ("lightgray", 0xd3d3d3), ("lightgreen", 0x90ee90), ("lightgrey", 0xd3d3d3),
    ("lightpink", 0xffb6c1), ("lightsalmon", 0xffa07a), ("lightseagreen", 0x20b2aa),
    ("lightskyblue", 0x87cefa), ("lightslategray", 0x778899), ("lightslategrey", 0x778899),
    ("lightsteelblue", 0xb0c4de), ("lightyellow", 0xffffe0), ("lime", 0x00ff00),
    ("limegreen", 0x32cd32), ("linen", 0xfaf0e6), ("magenta", 0xff00ff), ("maroon", 0x800000),
    ("mediumaquamarine", 0x66cdaa), ("mediumblue", 0x0000cd), ("mediumorchid", 0xba55d3),
    ("mediumpurple", 0x9370db), ("mediumseagreen", 0x3cb371), ("mediumslateblue", 0x7b68ee),
    ("mediumspringgreen", 0x00fa9a), ("mediumturquoise", 0x48d1cc), ("mediumvioletred", 0xc71585),
    ("midnightblue", 0x191970), ("mintcream", 0xf5fffa), ("mistyrose", 0xffe4e1),
    ("moccasin", 0xffe4b5), ("navajowhite", 0xffdead), ("navy", 0x000080), ("oldlace", 0xfdf5e6),
    ("olive", 0x808000), ("olivedrab", 0x6b8e23), ("orange", 0xffa500), ("orangered", 0xff4500),
    ("orchid", 0xda70d6), ("palegoldenrod", 0xeee8aa), ("palegreen", 0x98fb98),
    ("paleturquoise", 0xafeeee), ("palevioletred", 0xdb7093), ("papayawhip", 0xffefd5),
    ("peachpuff", 0xffdab9), ("peru", 0xcd853f), ("pink", 0xffc0cb), ("plum", 0xdda0dd),
    ("powderblue", 0xb0e0e6), ("purple", 0x800080), ("rebeccapurple", 0x663399), ("red", 0xff0000),
    ("rosybrown", 0xbc8f8f), ("royalblue", 0x4169e1), ("saddlebrown", 0x8b4513),
    ("salmon", 0xfa8072), ("sandybrown", 0xf4a460), ("seagreen", 0x2e8b57), ("seashell", 0xfff5ee),
    ("sienna", 0xa0522d), ("silver", 0xc0c0c0), ("skyblue", 0x87ceeb), ("slateblue", 0x6a5acd),
    ("slategray", 0x708090), ("slategrey", 0x708090), ("snow", 0xfffafa), ("springgreen", 0x00ff7f),
    ("steelblue", 0x4682b4), ("tan", 0xd2b48c), ("teal", 0x008080), ("thistle", 0xd8bfd8),
    ("tomato", 0xff6347), ("turquoise", 0x40e0d0), ("violet", 0xee82ee), ("wheat", 0xf5deb3),
    ("white", 0xffffff), ("whitesmoke", 0xf5f5f5), ("yellow", 0xffff00), ("yellowgreen", 0x9acd32),
];

#[cfg(test)]
mod tests {
    use super::{READABLE, contrast, ink_on, parse};

    #[test]
    fn colours_are_read_in_every_notation() {
        for (text, red, green, blue, alpha) in [
            ("#fff", 255.0, 255.0, 255.0, 1.0),
            ("#022c22", 2.0, 44.0, 34.0, 1.0),
            ("#00000080", 0.0, 0.0, 0.0, 128.0 / 255.0),
            ("rgb(1, 2, 3)", 1.0, 2.0, 3.0, 1.0),
            ("rgba(100% 0% 0% / 50%)", 255.0, 0.0, 0.0, 0.5),
            ("hsl(120, 100%, 50%)", 0.0, 255.0, 0.0, 1.0),
            ("Tomato", 255.0, 99.0, 71.0, 1.0),
            ("transparent", 0.0, 0.0, 0.0, 0.0),
        ] {
            let colour = parse(text).expect(text);
            for (found, wanted) in [
                (colour.red, red),
                (colour.green, green),
                (colour.blue, blue),
                (colour.alpha, alpha),
            ] {
                assert!((found - wanted).abs() < 0.6, "`{text}` is {colour:?}");
            }
        }
        for text in
            ["", "#12", "url(#a)", "rgb(1)", "nonsense", "var(--x)", "#ggg", "#\u{e9}\u{e9}"]
        {
            assert_eq!(parse(text), None, "`{text}` is no colour");
        }
    }

    #[test]
    fn ink_can_be_read_on_any_opaque_fill() {
        for red in (0..=255).step_by(15) {
            for green in (0..=255).step_by(15) {
                for blue in (0..=255).step_by(15) {
                    let fill = format!("#{red:02x}{green:02x}{blue:02x}");
                    let ink = ink_on(&fill, Some("#777")).expect("the fill is opaque");
                    let found = contrast(
                        parse(&ink).expect("an ink is a colour"),
                        parse(&fill).expect("a fill is a colour"),
                    );
                    assert!(found >= READABLE - 0.3, "{ink} on {fill} has {found}");
                }
            }
        }
        assert_eq!(ink_on("#022c22", Some("#fde68a")).as_deref(), Some("#fde68a"));
        assert_eq!(ink_on("#022c22", Some("#111")).as_deref(), Some("#ffffff"));
        assert_eq!(ink_on("rgba(0,0,0,.1)", None), None);
    }
}
