//! Text that was read in the wrong code page comes back, and sound text is never touched.
//!
//! Damage is done here by the tables of the code pages themselves; how much comes back is counted in
//! characters by an alignment, and printed for each kind of text.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use document::{Config, Piece, parse_page, repair_encoding};
use proptest::prelude::*;
use std::path::PathBuf;

const WESTERN: &str = "€\u{81}‚ƒ„…†‡ˆ‰Š‹Œ\u{8d}Ž\u{8f}\u{90}‘’“”•–—˜™š›œ\u{9d}žŸ";

#[derive(Debug, Clone, Copy, PartialEq)]
enum Loss {
    /// Bytes without a character stay as control characters.
    None,
    Dropped,
    Replaced,
    /// Dropped, and no-break spaces became spaces.
    Space,
    /// Dropped, and no-break spaces too.
    Stripped,
}

const LOSSES: [Loss; 5] = [Loss::None, Loss::Dropped, Loss::Replaced, Loss::Space, Loss::Stripped];

/// What a program shows that reads the bytes of `text` as Windows-1252 or -1254.
fn damage(text: &str, turkish: bool, loss: Loss) -> String {
    let mut out = String::new();
    for byte in text.bytes() {
        let undefined = matches!(byte, 0x81 | 0x8d | 0x8f | 0x90 | 0x9d)
            || turkish && matches!(byte, 0x8e | 0x9e);
        match byte {
            _ if undefined => match loss {
                Loss::None => out.push(char::from(byte)),
                Loss::Replaced => out.push('\u{fffd}'),
                _ => {}
            },
            0x80..=0x9f => out.push(WESTERN.chars().nth(usize::from(byte) - 0x80).unwrap()),
            0xa0 if loss == Loss::Space => out.push(' '),
            0xa0 if loss == Loss::Stripped => {}
            0xd0 if turkish => out.push('Ğ'),
            0xdd if turkish => out.push('İ'),
            0xde if turkish => out.push('Ş'),
            0xf0 if turkish => out.push('ğ'),
            0xfd if turkish => out.push('ı'),
            0xfe if turkish => out.push('ş'),
            _ => out.push(char::from(byte)),
        }
    }
    out
}

/// Characters of `wanted` that stand in `found` in the same order: Levenshtein's alignment, in a band
/// around the diagonal of each line.
fn alike(found: &str, wanted: &str) -> (usize, usize) {
    let mut lines = found.split_inclusive('\n');
    let mut same = 0;
    for line in wanted.split_inclusive('\n') {
        let (a, b): (Vec<char>, Vec<char>) =
            (lines.next().unwrap_or_default().chars().collect(), line.chars().collect());
        same += b.len().saturating_sub(distance(&a, &b));
    }
    (same, wanted.chars().count())
}

fn distance(a: &[char], b: &[char]) -> usize {
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (i, x) in a.iter().enumerate() {
        let mut corner = std::mem::replace(&mut row[0], i + 1);
        for (j, y) in b.iter().enumerate() {
            let next = (corner + usize::from(x != y)).min(row[j] + 1).min(row[j + 1] + 1);
            corner = std::mem::replace(&mut row[j + 1], next);
        }
    }
    row[b.len()]
}

fn seed(start: &str) -> Option<String> {
    let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../../shared/seeds");
    let Ok(entries) = std::fs::read_dir(&folder) else {
        println!("skipped: {} is not there", folder.display());
        return None;
    };
    let path = entries.map(|e| e.unwrap().path()).find(|path| {
        path.file_name().is_some_and(|name| name.to_string_lossy().starts_with(start))
    })?;
    Some(std::fs::read_to_string(path).unwrap())
}

#[test]
fn the_damaged_seed_comes_back() {
    let (Some(damaged), Some(sound)) = (seed("002"), seed("003")) else { return };
    let repair = repair_encoding(&damaged).expect("it is damaged");
    let (same, all) = alike(&repair.text, &sound);
    println!(
        "seed 002: {same} of {all} characters ({:.4} %), {} places in {} lines, {} filled, {} doubtful",
        same as f64 * 100.0 / all as f64,
        repair.places,
        repair.lines,
        repair.filled,
        repair.doubtful
    );
    for (got, want) in repair.text.lines().zip(sound.lines()).filter(|(a, b)| a != b) {
        println!("  {got}\n  {want}");
    }
    repair.doubts.iter().take(20).for_each(|doubt| println!("  {doubt:?}"));
    assert!(same * 1000 >= all * 999, "{same} of {all}");
    assert!(repair.code_page.contains("1254"));
    let page = |text: &str| {
        parse_page(&diagnostics::SourceFile::new("a.md", text), &Config::without_file())
    };
    let page = page(&repair.text);
    assert!(!page.diagnostics.iter().any(|found| found.code == diagnostics::Code::Encoding));
    assert!(page.pieces.iter().any(|piece| matches!(piece, Piece::BoxDrawing(_))));
    assert_eq!(repair_encoding(&repair.text), None, "twice is once");
}

#[test]
fn sound_files_are_never_touched() {
    for text in ["000", "001", "003"].into_iter().filter_map(seed) {
        assert_eq!(repair_encoding(&text), None);
    }
    for text in KINDS.iter().map(|(_, text)| *text).chain([
        "Where `Ã¼` stands for `ü` and `â€œ` for `“`, UTF-8 was read as Windows-1252.",
        "NÃO É POSSÍVEL: SÃO PAULO, AMANHû, ATENÇÃO! «É» “NÃO”",
        "L’Île-de-France, où l’on dîne “à l’œil”… Noël ; « ÇÀ ET LÀ » – 5 €",
        "Â é um caractere; Ã também; â, ã e Å, Ä.",
        "Šťastný ž ŽLUŤ ‹tak› ˆ˜ ™ © ®",
        "ÄÖÜ»äöü« „Äß“ Ärger›Öl‹",
        "",
    ]) {
        assert_eq!(repair_encoding(text), None, "{text}");
    }
}

/// None of these sentences is among the samples that the repair learns from.
const KINDS: &[(&str, &str)] = &[
    (
        "German",
        "Wörter wie Fußgängerübergang, Straße und „Übermaß“ prüfen wir – Äpfel, Öfen, süße Kräuter.\nDas Löschen der Einträge läuft über Nacht; am nächsten Morgen fällt es niemandem auf.\n",
    ),
    (
        "French",
        "La clé d’accès est générée à chaque démarrage ; à défaut, le système échoue. Voilà où ça coince.\nÀ l’époque, ces données étaient déjà chiffrées, c’est-à-dire protégées grâce à un mot de passe.\n",
    ),
    (
        "Spanish",
        "El índice está vacío: ¿quién borró los artículos según el código? Mañana lo sabrán, ojalá.\nLa conexión falló tres veces aquí y allá, pero la sesión continuó sin avisos.\n",
    ),
    (
        "Portuguese",
        "A comunicação não é fácil; às vezes a ligação cai e há perda de informações.\nVocês já viram à direita o botão? Então é só esperar até amanhã.\n",
    ),
    (
        "Polish",
        "Zażółć gęślą jaźń. Łańcuch dostaw działa, lecz część paczek wciąż się spóźnia.\nŁączymy się ponownie, gdy żądanie wygaśnie; błędy są źródłem wiedzy.\n",
    ),
    (
        "Czech",
        "Čtyři účty čekají na ověření, pátý už prošel. Zítra začne další měření.\nŽádost přišla pozdě, takže ji vyřídíme příště; dům u řeky čeká.\n",
    ),
    (
        "Turkish",
        "Değişiklikler yayınlanmadan önce gözden geçirilir. Şube müdürü İzmir’den bağlandı.\nÜçüncü aşamada şüpheli işlemler ayrıştırılır ve ağ trafiği ölçülür. Şifreyi unuttuysanız…\n",
    ),
    (
        "Russian",
        "Каждое утро сторож обходит старый сад и проверяет замки на воротах.\nЕсли очередь растёт, система запускает ещё одну копию сервиса и сообщает об этом в чат.\nЭто описание составлено для новых сотрудников: читайте внимательно и задавайте вопросы.\n",
    ),
    (
        "Greek",
        "Κάθε πρωί ο φύλακας ελέγχει τις πόρτες του κήπου και γράφει μια σύντομη αναφορά.\nΑν η ουρά μεγαλώσει, ξεκινά ακόμη ένα αντίγραφο της υπηρεσίας και ενημερώνεται η ομάδα.\n",
    ),
    (
        "Chinese",
        "每天早上，系统会检查所有服务的状态，并且把结果写入日志。\n如果请求太多，我们就增加新的实例，这样用户不会等太长时间。\n",
    ),
    (
        "Emoji",
        "## 🚀 Deploy\n- ✅ done\n- ❌ failed\n- ⚠️ careful\n- 🔒 secure 🏗️ build 🎯 goal 📊 figures\n- 🛡️ shield, 🔍 search, 💡 idea, 🐳 container\n",
    ),
    (
        "Boxes",
        "┌─────────┐     ┌──────┐\n│ Gateway │ ──▶ │ Auth │\n└────┬────┘     └──────┘\n     │\n     ▼\n╔═════════╗\n║ Storage ║ ← write\n╚═════════╝\n├── src\n│   └── main.rs\n└── README\n",
    ),
    (
        "Typography",
        "“Quotes” — that’s all… it’s “fine” – 10–20 ms • → ← ↑ ↓ ≥ 5 × 3 ≤ 20, 7 °C ± 1 ½ €\nShe said: “Don’t.” Then she left the room… “Why?”\n",
    ),
];

#[test]
fn every_kind_comes_back_or_is_counted() {
    println!(
        "{:<12} {:>9} {:>9} {:>9} {:>9} {:>9}  twice",
        "kind", "whole", "dropped", "U+FFFD", "space", "stripped"
    );
    for (kind, text) in KINDS {
        let mut shares = Vec::new();
        for loss in LOSSES {
            let (mut same, mut all) = (0, 0);
            for turkish in [false, true] {
                let damaged = damage(text, turkish, loss);
                let found = repair_encoding(&damaged)
                    .unwrap_or_else(|| panic!("{kind}, {loss:?}: not noticed\n{damaged}"));
                if loss == Loss::None {
                    assert_eq!(&found.text, text, "{kind}: whole bytes come back exactly");
                    assert_eq!(found.doubtful, 0, "{kind}");
                }
                let counted = alike(&found.text, text);
                (same, all) = (same + counted.0, all + counted.1);
                if std::env::var_os("SHOW").is_some() && counted.0 < counted.1 {
                    println!("{kind} {loss:?} {turkish}\n{}", found.text);
                }
            }
            shares.push(same as f64 * 100.0 / all as f64);
        }
        let twice = damage(&damage(text, false, Loss::Dropped), false, Loss::Dropped);
        let found = repair_encoding(&twice).unwrap_or_else(|| panic!("{kind} twice: not noticed"));
        let (same, all) = alike(&found.text, text);
        if std::env::var_os("SHOW").is_some() && same < all {
            println!("{kind} twice\n{}", found.text);
        }
        let numbers: Vec<String> = shares.iter().map(|share| format!("{share:>9.2}")).collect();
        println!("{kind:<12} {}  {:.2}", numbers.join(" "), same as f64 * 100.0 / all as f64);
        shares.push(same as f64 * 100.0 / all as f64);
        let least = shares.iter().copied().fold(f64::MAX, f64::min);
        assert!(least >= LEAST, "{kind}: {least}");
    }
}

/// Percent of characters that come back at least, whatever was lost.
const LEAST: f64 = 90.0;

#[test]
fn twice_damaged_whole_text_comes_back_exactly() {
    for (kind, text) in KINDS {
        let twice = damage(&damage(text, false, Loss::None), true, Loss::None);
        let found = repair_encoding(&twice).unwrap_or_else(|| panic!("{kind}: not noticed"));
        assert_eq!((&found.text[..], found.passes), (*text, 2), "{kind}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(128))]

    /// Whole bytes come back exactly, in any mixture of kinds.
    #[test]
    fn whole_bytes_come_back(
        parts in prop::collection::vec(0..KINDS.len(), 1..6),
        turkish in any::<bool>(),
    ) {
        let text: String = parts.iter().map(|at| KINDS[*at].1).collect();
        let repair = repair_encoding(&damage(&text, turkish, Loss::None));
        prop_assert_eq!(repair.map(|repair| repair.text), Some(text.clone()));
        prop_assert_eq!(repair_encoding(&text), None);
    }

    /// Any text at all ends, and what comes out is sound or broken beyond repair.
    #[test]
    fn any_text_ends(text in "(Ã|â|€|”|ğ|Ÿ|Ð|Ñ|\u{fffd}|\u{81}| |[a-z]|\n){0,200}") {
        let _ = repair_encoding(&text);
    }
}
