//! How wide text may become. Nobody knows which font a reader's system has, so each width here is
//! that of the widest of the common sans-serif faces (DejaVu Sans, Verdana, Inter, Roboto, Liberation
//! Sans), measured in a browser: a label fits its box in all of them. `engine` lays out with it,
//! `labels` wraps with it, `geometry` sizes text with it.

use unicode_width::UnicodeWidthChar;

/// Widths of the characters from space to tilde in thousandths of the font size, normal weight.
const REGULAR: [u16; 95] = [
    318, 401, 460, 838, 643, 950, 780, 275, 390, 390, 522, 838, 318, 463, 318, 396, 646, 636, 636,
    644, 654, 636, 636, 636, 636, 636, 337, 337, 838, 838, 838, 556, 1015, 700, 686, 735, 770, 667,
    611, 778, 752, 421, 555, 667, 564, 898, 748, 787, 667, 787, 722, 667, 651, 738, 700, 989, 685,
    685, 685, 390, 418, 390, 838, 556, 500, 613, 635, 568, 635, 615, 369, 635, 634, 278, 278, 579,
    278, 974, 634, 612, 635, 635, 411, 536, 392, 634, 592, 825, 592, 592, 551, 636, 342, 636, 838,
];

/// As [`REGULAR`], bold.
const BOLD: [u16; 95] = [
    348, 456, 521, 838, 696, 1002, 872, 306, 457, 457, 565, 838, 380, 469, 380, 390, 696, 696, 696,
    696, 696, 696, 696, 696, 696, 696, 400, 400, 838, 838, 838, 580, 1031, 774, 762, 752, 830, 683,
    683, 821, 837, 546, 570, 775, 637, 995, 837, 850, 733, 850, 770, 720, 682, 812, 774, 1103, 771,
    724, 725, 457, 422, 457, 838, 500, 500, 675, 716, 593, 716, 678, 435, 716, 712, 343, 343, 665,
    343, 1042, 712, 687, 716, 716, 493, 595, 478, 712, 652, 924, 645, 652, 582, 712, 374, 712, 838,
];

/// Width of an emoji or another character that a fallback font draws.
const SYMBOL: f64 = 1.4;

/// Width of a character of two columns, such as a Chinese one.
const FULL: f64 = 1.02;

/// Line height as a multiple of the font size.
pub(crate) const LINE_HEIGHT: f64 = 1.25;

/// Width of a line of text at the given font size, in the unit of the font size.
pub(crate) fn width(text: &str, font_size: f64, bold: bool) -> f64 {
    text.chars().map(|character| em(character, bold)).sum::<f64>() * font_size
}

fn em(character: char, bold: bool) -> f64 {
    let code = character as u32;
    let table = if bold { &BOLD } else { &REGULAR };
    let weight = if bold { 1.12 } else { 1.0 };
    match code {
        0x20..=0x7e => {
            table.get((code - 0x20) as usize).map_or(SYMBOL, |width| f64::from(*width) / 1000.0)
        }
        0xa0 => em(' ', bold),
        _ if character.width() == Some(0) || character.is_control() => 0.0,
        0x2014 | 0x2026 => 1.02,
        0x2010..=0x201f => 0.6 * weight,
        0x2190..=0x2bff | 0x1f000.. => SYMBOL,
        _ if character.width() == Some(2) => FULL,
        _ if character.is_uppercase() => 0.95 * weight,
        _ => 0.75 * weight,
    }
}

#[cfg(test)]
mod tests {
    use super::width;

    #[test]
    fn widths_are_on_the_wide_side() {
        for (text, bold, at_least) in [
            ("API Gateway", false, 81.0),
            ("iiii", false, 15.0),
            ("Authentication Service", false, 154.0),
            ("Authentication Service", true, 171.0),
            ("\u{65e5}\u{672c}", false, 28.0),
            ("\u{1f600}", false, 17.0),
        ] {
            assert!(width(text, 14.0, bold) >= at_least, "`{text}` is measured too narrow");
        }
        assert_eq!(width("\u{200b}\u{301}", 14.0, false), 0.0);
    }
}
