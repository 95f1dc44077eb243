//! What the scanner knows of each language: comments, strings, words.
//!
//! `highlight` finds a language by the first word of a fence; `scanner` reads by its table.

use std::collections::HashMap;
use std::sync::OnceLock;

use super::output::Class;

/// How a language's texts are read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) enum Shape {
    /// Words, strings and comments anywhere.
    #[default]
    Code,
    /// A shell's script: words behind `$`, options, comments after a space.
    Shell,
    /// A shell's session: lines behind a prompt are commands, others what they answered.
    Session,
    /// `key: value` by lines, as in YAML.
    Keys,
    /// `key = value` and `[section]` by lines, as in TOML and INI.
    Sections,
    /// Lines that were added and removed.
    Diff,
}

/// A kind of string.
#[derive(Debug)]
pub(super) struct Quote {
    pub(super) open: &'static str,
    pub(super) close: &'static str,
    /// Whether a backslash takes the next character with it.
    pub(super) escapes: bool,
    /// Whether it may go on over the end of the line.
    pub(super) lines: bool,
}

const fn quote(open: &'static str, close: &'static str, escapes: bool, lines: bool) -> Quote {
    Quote { open, close, escapes, lines }
}

/// One language's table.
#[derive(Debug, Default)]
pub(super) struct Language {
    names: &'static [&'static str],
    pub(super) shape: Shape,
    pub(super) line_comments: &'static [&'static str],
    /// Opening and closing text, and whether they nest.
    pub(super) block_comments: &'static [(&'static str, &'static str, bool)],
    /// Longer openings first.
    pub(super) quotes: &'static [Quote],
    keywords: &'static str,
    constants: &'static str,
    types: &'static str,
    /// Whether keywords count in any case.
    pub(super) caseless: bool,
    /// Whether words that begin with a capital are types.
    pub(super) capitals: bool,
    /// Whether `word(` is a function.
    pub(super) calls: bool,
    /// Further characters of words.
    pub(super) in_words: &'static [u8],
    /// Rust's lifetimes, raw strings, attributes and macros.
    pub(super) rust: bool,
    /// `#include` and the like at the start of a line.
    pub(super) directives: bool,
    /// `@word`.
    pub(super) decorators: bool,
    /// `"key":` is a key and no string.
    pub(super) quoted_keys: bool,
}

/// A table with its words hashed.
pub(super) struct Found {
    pub(super) language: &'static Language,
    words: HashMap<&'static str, Class>,
}

impl Found {
    pub(super) fn word(&self, word: &str) -> Option<Class> {
        if self.language.caseless
            && word.len() <= 24
            && word.bytes().any(|b| b.is_ascii_uppercase())
        {
            return self.words.get(word.to_ascii_lowercase().as_str()).copied();
        }
        self.words.get(word).copied()
    }
}

/// Fences of these are shown as they are.
pub(super) fn is_plain(language: &str) -> bool {
    ["", "text", "txt", "plain", "plaintext", "none", "output", "ascii", "tree"]
        .iter()
        .any(|name| language.eq_ignore_ascii_case(name))
}

/// The table of a language by one of its names, without case.
pub(super) fn find(name: &str) -> Option<&'static Found> {
    static FOUND: OnceLock<HashMap<&'static str, &'static Found>> = OnceLock::new();
    let by_name = FOUND.get_or_init(|| {
        let mut by_name = HashMap::new();
        for language in LANGUAGES {
            let mut words = HashMap::new();
            for (list, class) in [
                (language.types, Class::Type),
                (language.constants, Class::Number),
                (language.keywords, Class::Keyword),
            ] {
                words.extend(list.split_ascii_whitespace().map(|word| (word, class)));
            }
            let found: &'static Found = Box::leak(Box::new(Found { language, words }));
            by_name.extend(language.names.iter().map(|name| (*name, found)));
        }
        by_name
    });
    match by_name.get(name) {
        Some(found) => Some(found),
        None => by_name.get(name.to_ascii_lowercase().as_str()).copied(),
    }
}

const DOUBLE: Quote = quote("\"", "\"", true, false);
const SINGLE: Quote = quote("'", "'", true, false);
const SLASHES: &[(&str, &str, bool)] = &[("/*", "*/", false)];

/// Every table but for `rust`, `shape` and `quoted_keys` reads like the language's own list of words.
static LANGUAGES: &[Language] = &[
    Language {
        names: &["rust", "rs"],
        line_comments: &["//"],
        block_comments: &[("/*", "*/", true)],
        quotes: &[quote("\"", "\"", true, true)],
        keywords: "as async await break const continue crate dyn else enum extern fn for if impl in \
                   let loop match mod move mut pub ref return self static struct super trait type \
                   union unsafe use where while yield macro_rules gen raw safe",
        constants: "true false",
        types: "Self bool char str u8 u16 u32 u64 u128 usize i8 i16 i32 i64 i128 isize f32 f64",
        capitals: true,
        calls: true,
        rust: true,
        ..EMPTY
    },
    Language {
        names: &["toml"],
        shape: Shape::Sections,
        line_comments: &["#"],
        quotes: &[
            quote("\"\"\"", "\"\"\"", true, true),
            quote("'''", "'''", false, true),
            DOUBLE,
            quote("'", "'", false, false),
        ],
        constants: "true false inf nan",
        in_words: b"-",
        ..EMPTY
    },
    Language {
        names: &[
            "ini",
            "cfg",
            "conf",
            "properties",
            "editorconfig",
            "systemd",
            "desktop",
            "dotenv",
            "env",
        ],
        shape: Shape::Sections,
        line_comments: &["#", ";"],
        quotes: &[DOUBLE],
        constants: "true false yes no on off",
        in_words: b"-.",
        ..EMPTY
    },
    Language {
        names: &["json", "json5", "jsonc", "jsonl", "webmanifest"],
        line_comments: &["//"],
        block_comments: SLASHES,
        quotes: &[DOUBLE, SINGLE],
        constants: "true false null",
        quoted_keys: true,
        ..EMPTY
    },
    Language {
        names: &["yaml", "yml"],
        shape: Shape::Keys,
        line_comments: &["#"],
        quotes: &[quote("\"", "\"", true, true), quote("'", "'", false, true)],
        constants: "true false null yes no on off ~",
        in_words: b"-./",
        ..EMPTY
    },
    Language {
        names: &["sh", "bash", "shell", "zsh", "fish", "ksh"],
        shape: Shape::Shell,
        line_comments: &["#"],
        quotes: SHELL_QUOTES,
        keywords: SHELL_WORDS,
        in_words: b"-./+:",
        ..EMPTY
    },
    Language {
        names: &["console", "shell-session", "sh-session", "shellsession", "terminal"],
        shape: Shape::Session,
        line_comments: &["#"],
        quotes: SHELL_QUOTES,
        keywords: SHELL_WORDS,
        in_words: b"-./+:",
        ..EMPTY
    },
    Language { names: &["diff", "patch", "udiff"], shape: Shape::Diff, ..EMPTY },
    Language {
        names: &["dockerfile", "docker", "containerfile"],
        line_comments: &["#"],
        quotes: &[DOUBLE, SINGLE],
        keywords: "from as run cmd label maintainer expose env add copy entrypoint volume user \
                   workdir arg onbuild stopsignal healthcheck shell",
        caseless: true,
        in_words: b"-./:",
        ..EMPTY
    },
    Language {
        names: &["javascript", "js", "mjs", "cjs", "node"],
        line_comments: &["//", "#!"],
        block_comments: SLASHES,
        quotes: SCRIPT_QUOTES,
        keywords: SCRIPT_WORDS,
        constants: "true false null undefined NaN Infinity",
        capitals: true,
        calls: true,
        decorators: true,
        in_words: b"$#",
        ..EMPTY
    },
    Language {
        names: &["typescript", "ts", "mts", "cts"],
        line_comments: &["//", "#!"],
        block_comments: SLASHES,
        quotes: SCRIPT_QUOTES,
        keywords: "abstract as async await break case catch class const continue debugger declare \
                   default delete do else enum export extends finally for from function get if \
                   implements import in infer instanceof interface is keyof let module namespace \
                   new of override private protected public readonly return satisfies set static \
                   super switch this throw try type typeof using var void while with yield",
        constants: "true false null undefined NaN Infinity",
        types: "any bigint boolean never number object string symbol unknown",
        capitals: true,
        calls: true,
        decorators: true,
        in_words: b"$#",
        ..EMPTY
    },
    Language {
        names: &["python", "py", "python3", "pyi", "starlark", "bzl", "bazel"],
        line_comments: &["#"],
        quotes: &[
            quote("\"\"\"", "\"\"\"", true, true),
            quote("'''", "'''", true, true),
            DOUBLE,
            SINGLE,
        ],
        keywords: "and as assert async await break case class continue def del elif else except \
                   finally for from global if import in is lambda match nonlocal not or pass raise \
                   return try while with yield self cls",
        constants: "True False None NotImplemented Ellipsis",
        types: "bool bytes complex dict float frozenset int list object set str tuple",
        capitals: true,
        calls: true,
        decorators: true,
        ..EMPTY
    },
    Language {
        names: &["go", "golang"],
        line_comments: &["//"],
        block_comments: SLASHES,
        quotes: &[quote("`", "`", false, true), DOUBLE, SINGLE],
        keywords: "break case chan const continue default defer else fallthrough for func go goto if \
                   import interface map package range return select struct switch type var",
        constants: "true false nil iota",
        types: "any bool byte comparable complex64 complex128 error float32 float64 int int8 int16 \
                int32 int64 rune string uint uint8 uint16 uint32 uint64 uintptr",
        calls: true,
        ..EMPTY
    },
    Language {
        names: &["c", "h"],
        line_comments: &["//"],
        block_comments: SLASHES,
        quotes: &[DOUBLE, SINGLE],
        keywords: "alignas alignof auto break case const constexpr continue default do else enum \
                   extern for goto if inline register restrict return sizeof static static_assert \
                   struct switch thread_local typedef typeof union volatile while",
        constants: "true false NULL nullptr",
        types: C_TYPES,
        calls: true,
        directives: true,
        ..EMPTY
    },
    Language {
        names: &["cpp", "c++", "cc", "cxx", "hpp", "hxx"],
        line_comments: &["//"],
        block_comments: SLASHES,
        quotes: &[DOUBLE, SINGLE],
        keywords: "alignas alignof and asm auto break case catch class co_await co_return co_yield \
                   concept const consteval constexpr constinit const_cast continue decltype default \
                   delete do dynamic_cast else enum explicit export extern final for friend goto if \
                   inline mutable namespace new noexcept not operator or override private protected \
                   public register reinterpret_cast requires return sizeof static static_assert \
                   static_cast struct switch template this thread_local throw try typedef typeid \
                   typename union using virtual volatile while",
        constants: "true false NULL nullptr",
        types: C_TYPES,
        calls: true,
        directives: true,
        ..EMPTY
    },
    Language {
        names: &["java"],
        line_comments: &["//"],
        block_comments: SLASHES,
        quotes: &[quote("\"\"\"", "\"\"\"", true, true), DOUBLE, SINGLE],
        keywords: "abstract assert break case catch class continue default do else enum exports \
                   extends final finally for if implements import instanceof interface module \
                   native new non-sealed package permits private protected public record requires \
                   return sealed static strictfp super switch synchronized this throw throws \
                   transient try var volatile while yield",
        constants: "true false null",
        types: "boolean byte char double float int long short void",
        capitals: true,
        calls: true,
        decorators: true,
        ..EMPTY
    },
    Language {
        names: &["kotlin", "kt", "kts"],
        line_comments: &["//"],
        block_comments: &[("/*", "*/", true)],
        quotes: &[quote("\"\"\"", "\"\"\"", false, true), DOUBLE, SINGLE],
        keywords: "abstract actual annotation as break by catch class companion const constructor \
                   continue crossinline data do else enum expect external final finally for fun get \
                   if import in infix init inline inner interface internal is lateinit noinline \
                   object open operator out override package private protected public reified \
                   return sealed set super suspend tailrec this throw try typealias val value var \
                   vararg when where while",
        constants: "true false null",
        capitals: true,
        calls: true,
        decorators: true,
        ..EMPTY
    },
    Language {
        names: &["csharp", "cs", "c#"],
        line_comments: &["//"],
        block_comments: SLASHES,
        quotes: &[
            quote("\"\"\"", "\"\"\"", false, true),
            quote("@\"", "\"", false, true),
            DOUBLE,
            SINGLE,
        ],
        keywords: "abstract as async await base break case catch checked class const continue \
                   default delegate do else enum event explicit extern finally fixed for foreach get \
                   goto if implicit in init interface internal is lock namespace new operator out \
                   override params partial private protected public readonly record ref required \
                   return sealed set sizeof stackalloc static struct switch this throw try typeof \
                   unchecked unsafe using var virtual volatile when where while with yield",
        constants: "true false null",
        types: "bool byte char decimal double dynamic float int long nint nuint object sbyte short \
                string uint ulong ushort void",
        capitals: true,
        calls: true,
        directives: true,
        ..EMPTY
    },
    Language {
        names: &["swift"],
        line_comments: &["//"],
        block_comments: &[("/*", "*/", true)],
        quotes: &[quote("\"\"\"", "\"\"\"", true, true), DOUBLE],
        keywords: "actor any as associatedtype async await break case catch class continue default \
                   defer deinit do else enum extension fallthrough fileprivate final for func get \
                   guard if import in indirect init inout internal is lazy let mutating nonisolated \
                   open operator override private protocol public repeat required rethrows return \
                   self Self set some static struct subscript super switch throw throws try \
                   typealias unowned var weak where while",
        constants: "true false nil",
        capitals: true,
        calls: true,
        decorators: true,
        directives: true,
        ..EMPTY
    },
    Language {
        names: &["sql", "mysql", "postgres", "postgresql", "psql", "sqlite", "plsql", "tsql"],
        line_comments: &["--"],
        block_comments: SLASHES,
        quotes: &[quote("'", "'", false, true), DOUBLE, quote("`", "`", false, false)],
        keywords: "add all alter analyze and any as asc begin between by cascade case cast check \
                   collate column commit constraint create cross current_date current_timestamp \
                   database declare default delete desc distinct do drop each else end except \
                   execute exists explain fetch filter first following for foreign from full \
                   function generated grant group having if ilike in index inner insert instead \
                   intersect into is isolation join key language lateral left level like limit \
                   materialized merge natural not nothing of offset on only or order outer over \
                   partition preceding primary procedure range recursive references replace \
                   restrict returning returns revoke right role rollback row rows savepoint schema \
                   select sequence set table temporary then to transaction trigger truncate union \
                   unique unlogged update using vacuum values view when where window with within \
                   without",
        constants: "true false null",
        types: "bigint bigserial blob bool boolean bytea char character date decimal double float \
                int integer interval json jsonb numeric precision real serial smallint text time \
                timestamp timestamptz tinyint uuid varchar xml",
        caseless: true,
        calls: true,
        ..EMPTY
    },
    Language {
        names: &["lua", "luau"],
        line_comments: &["--"],
        block_comments: &[("--[[", "]]", false)],
        quotes: &[quote("[[", "]]", false, true), DOUBLE, SINGLE],
        keywords: "and break do else elseif end for function goto if in local not or repeat return \
                   then until while",
        constants: "true false nil",
        calls: true,
        ..EMPTY
    },
    Language {
        names: &["ruby", "rb"],
        line_comments: &["#"],
        block_comments: &[("\n=begin", "\n=end", false)],
        quotes: &[quote("\"", "\"", true, true), quote("'", "'", true, true)],
        keywords: "alias and begin break case class def defined? do else elsif end ensure for if in \
                   module next not or redo rescue retry return self super then undef unless until \
                   when while yield require require_relative attr_accessor attr_reader include \
                   extend private public protected raise",
        constants: "true false nil",
        capitals: true,
        in_words: b"?!@",
        ..EMPTY
    },
    Language {
        names: &["proto", "protobuf", "proto3"],
        line_comments: &["//"],
        block_comments: SLASHES,
        quotes: &[DOUBLE, SINGLE],
        keywords: "edition enum extend extensions import map max message oneof option optional \
                   package public repeated required reserved returns rpc service stream syntax to",
        constants: "true false",
        types: "bool bytes double fixed32 fixed64 float int32 int64 sfixed32 sfixed64 sint32 sint64 \
                string uint32 uint64",
        capitals: true,
        ..EMPTY
    },
    Language {
        names: &["graphql", "gql"],
        line_comments: &["#"],
        quotes: &[quote("\"\"\"", "\"\"\"", true, true), DOUBLE],
        keywords: "directive enum extend fragment implements input interface mutation on query \
                   repeatable scalar schema subscription type union",
        constants: "true false null",
        capitals: true,
        decorators: true,
        in_words: b"$",
        ..EMPTY
    },
    Language {
        names: &["promql"],
        line_comments: &["#"],
        quotes: &[DOUBLE, SINGLE, quote("`", "`", false, true)],
        keywords: "and bool by group_left group_right ignoring offset on or unless without atan2 sum \
                   avg min max count stddev stdvar topk bottomk quantile count_values group",
        calls: true,
        in_words: b":",
        ..EMPTY
    },
    Language {
        names: &["hcl", "terraform", "tf", "nomad"],
        line_comments: &["#", "//"],
        block_comments: SLASHES,
        quotes: &[DOUBLE],
        keywords: "resource data variable output provider module locals terraform for in if dynamic \
                   moved import check",
        constants: "true false null",
        calls: true,
        in_words: b"-",
        ..EMPTY
    },
    Language {
        names: &["zig"],
        line_comments: &["//"],
        quotes: &[DOUBLE, SINGLE],
        keywords: "addrspace align allowzero and anyframe anytype asm async await break callconv \
                   catch comptime const continue defer else enum errdefer error export extern fn for \
                   if inline linksection noalias noinline nosuspend opaque or orelse packed pub \
                   resume return struct suspend switch test threadlocal try union unreachable \
                   usingnamespace var volatile while",
        constants: "true false null undefined",
        types: "bool f16 f32 f64 f128 i8 i16 i32 i64 i128 isize u8 u16 u32 u64 u128 usize void \
                noreturn type anyerror",
        capitals: true,
        calls: true,
        decorators: true,
        ..EMPTY
    },
];

const EMPTY: Language = Language {
    names: &[],
    shape: Shape::Code,
    line_comments: &[],
    block_comments: &[],
    quotes: &[],
    keywords: "",
    constants: "",
    types: "",
    caseless: false,
    capitals: false,
    calls: false,
    in_words: &[],
    rust: false,
    directives: false,
    decorators: false,
    quoted_keys: false,
};

const C_TYPES: &str = "bool char char8_t char16_t char32_t double float int int8_t int16_t int32_t \
                       int64_t long short signed size_t ssize_t uint8_t uint16_t uint32_t uint64_t \
                       uintptr_t unsigned void wchar_t";
const SHELL_QUOTES: &[Quote] = &[quote("\"", "\"", true, true), quote("'", "'", false, true)];
const SHELL_WORDS: &str = "if then else elif fi for while until do done case esac in function select \
                           time return break continue exit export local readonly declare set unset \
                           source alias trap shift eval exec";
const SCRIPT_QUOTES: &[Quote] = &[quote("`", "`", true, true), DOUBLE, SINGLE];
const SCRIPT_WORDS: &str = "as async await break case catch class const continue debugger default \
                            delete do else export extends finally for from function get if import in \
                            instanceof let new of return set static super switch this throw try \
                            typeof using var void while with yield";
