//! Which texts are CSS colours. Only these reach a style sheet, so nothing can be injected.
//!
//! `frontmatter` asks; nothing is converted.

/// Longest colour accepted, in bytes.
const LENGTH_MAX: usize = 64;

const NAMES: &str = " aliceblue antiquewhite aqua aquamarine azure beige bisque black blanchedalmond \
    blue blueviolet brown burlywood cadetblue chartreuse chocolate coral cornflowerblue cornsilk \
    crimson cyan darkblue darkcyan darkgoldenrod darkgray darkgreen darkgrey darkkhaki darkmagenta \
    darkolivegreen darkorange darkorchid darkred darksalmon darkseagreen darkslateblue darkslategray \
    darkslategrey darkturquoise darkviolet deeppink deepskyblue dimgray dimgrey dodgerblue firebrick \
    floralwhite forestgreen fuchsia gainsboro ghostwhite gold goldenrod gray green greenyellow grey \
    honeydew hotpink indianred indigo ivory khaki lavender lavenderblush lawngreen lemonchiffon \
    lightblue lightcoral lightcyan lightgoldenrodyellow lightgray lightgreen lightgrey lightpink \
    lightsalmon lightseagreen lightskyblue lightslategray lightslategrey lightsteelblue lightyellow \
    lime limegreen linen magenta maroon mediumaquamarine mediumblue mediumorchid mediumpurple \
    mediumseagreen mediumslateblue mediumspringgreen mediumturquoise mediumvioletred midnightblue \
    mintcream mistyrose moccasin navajowhite navy oldlace olive olivedrab orange orangered orchid \
    palegoldenrod palegreen paleturquoise palevioletred papayawhip peachpuff peru pink plum \
    powderblue purple rebeccapurple red rosybrown royalblue saddlebrown salmon sandybrown seagreen \
    seashell sienna silver skyblue slateblue slategray slategrey snow springgreen steelblue tan teal \
    thistle tomato transparent turquoise violet wheat white whitesmoke yellow yellowgreen ";

const FUNCTIONS: &[&str] = &["rgb", "rgba", "hsl", "hsla", "hwb", "lab", "lch", "oklab", "oklch"];

/// Whether `text` is a hex colour, a colour function with plain numbers, or a colour's name.
pub(crate) fn is_colour(text: &str) -> bool {
    if text.len() > LENGTH_MAX || !text.is_ascii() {
        return false;
    }
    let text = text.trim().to_ascii_lowercase();
    if let Some(digits) = text.strip_prefix('#') {
        return matches!(digits.len(), 3 | 4 | 6 | 8)
            && digits.bytes().all(|b| b.is_ascii_hexdigit());
    }
    match text.split_once('(') {
        Some((name, rest)) => {
            FUNCTIONS.contains(&name) && rest.strip_suffix(')').is_some_and(are_arguments)
        }
        None => !text.is_empty() && !text.contains(' ') && NAMES.contains(&format!(" {text} ")),
    }
}

/// Three numbers, and a fourth for opacity, between commas, spaces or a slash.
fn are_arguments(text: &str) -> bool {
    let parts: Vec<&str> = text.split([',', ' ', '/']).filter(|part| !part.is_empty()).collect();
    matches!(parts.len(), 3 | 4) && parts.iter().all(|part| is_number(part))
}

fn is_number(text: &str) -> bool {
    if text == "none" {
        return true;
    }
    let digits = ["%", "deg", "grad", "turn", "rad"]
        .iter()
        .find_map(|unit| text.strip_suffix(unit))
        .unwrap_or(text);
    let digits = digits.strip_prefix(['-', '+']).unwrap_or(digits);
    digits.bytes().any(|b| b.is_ascii_digit())
        && digits.bytes().all(|b| b.is_ascii_digit() || b == b'.')
        && digits.bytes().filter(|&b| b == b'.').count() <= 1
}

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
}
