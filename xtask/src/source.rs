//! One Rust file as the checks see it.
//!
//! Looks at parsed tokens and never at raw text, so that a word in a comment or in a string is not mistaken for
//! code.

use std::collections::BTreeSet;
use std::path::PathBuf;

use anyhow::{Context as _, Result, anyhow};
use proc_macro2::{TokenStream, TokenTree};
use syn::spanned::Spanned as _;
use syn::{Attribute, Item, Meta};

/// A parsed file.
pub(crate) struct SourceFile {
    /// Relative to the workspace.
    pub(crate) path: PathBuf,
    file: syn::File,
    tokens: Vec<Token>,
}

/// One token: its text where it is a word, and the lines it lies on.
struct Token {
    word: Option<String>,
    first_line: usize,
    last_line: usize,
}

impl SourceFile {
    /// Parses `text`.
    pub(crate) fn parse(path: PathBuf, text: &str) -> Result<Self> {
        let failed = || format!("Failed to parse `{}`", path.display());
        let file = syn::parse_file(text).with_context(failed)?;
        let stream: TokenStream = text.parse().map_err(|error| anyhow!("{error}")).with_context(failed)?;
        let mut tokens = Vec::new();
        flatten(stream, &mut tokens);
        Ok(Self { path, file, tokens })
    }

    /// Counts the lines that hold code: no comments, no documentation, no blank lines, no tests.
    pub(crate) fn code_lines(&self) -> usize {
        let mut left_out = BTreeSet::new();
        documentation_lines(&self.file.attrs, &mut left_out);
        let mut visitor = LeftOut(&mut left_out);
        syn::visit::visit_file(&mut visitor, &self.file);
        let mut lines = BTreeSet::new();
        for token in &self.tokens {
            lines.extend((token.first_line..=token.last_line).filter(|line| !left_out.contains(line)));
        }
        lines.len()
    }

    /// Says whether the keyword `unsafe` stands anywhere in it.
    pub(crate) fn has_unsafe(&self) -> bool {
        self.tokens.iter().any(|token| token.word.as_deref() == Some("unsafe"))
    }

    /// Says whether it has `#![forbid(unsafe_code)]`.
    pub(crate) fn forbids_unsafe(&self) -> bool {
        self.file.attrs.iter().any(|attribute| {
            attribute.path().is_ident("forbid")
                && attribute.parse_args::<syn::Path>().is_ok_and(|lint| lint.is_ident("unsafe_code"))
        })
    }

    /// Says whether it begins with `//!`.
    pub(crate) fn has_documentation(&self) -> bool {
        self.file.attrs.first().is_some_and(is_documentation)
    }

    /// Says whether it holds only attributes, modules and public re-exports.
    pub(crate) fn is_table_of_contents(&self) -> bool {
        only_modules(&self.file.items)
    }

    /// Says whether this is the root of a library.
    pub(crate) fn is_library_root(&self) -> bool {
        self.path.file_name().is_some_and(|name| name == "lib.rs")
    }

    /// Says whether this is the root of a library, or of the program of a package.
    pub(crate) fn is_crate_root(&self) -> bool {
        self.is_library_root() || self.path.ends_with("src/main.rs")
    }
}

fn only_modules(items: &[Item]) -> bool {
    items.iter().all(|item| {
        if let Item::Mod(module) = item {
            module.content.as_ref().is_none_or(|(_, items)| only_modules(items))
        } else {
            matches!(item, Item::Use(import) if matches!(import.vis, syn::Visibility::Public(_)))
        }
    })
}

fn is_documentation(attribute: &Attribute) -> bool {
    matches!(&attribute.meta, Meta::NameValue(pair) if pair.path.is_ident("doc"))
}

/// Adds the lines of every documentation comment among `attributes`.
fn documentation_lines(attributes: &[Attribute], lines: &mut BTreeSet<usize>) {
    for attribute in attributes.iter().filter(|attribute| is_documentation(attribute)) {
        add_lines(attribute.span(), lines);
    }
}

fn add_lines(span: proc_macro2::Span, lines: &mut BTreeSet<usize>) {
    lines.extend(span.start().line..=span.end().line);
}

/// Collects the lines of documentation and of test modules.
struct LeftOut<'a>(&'a mut BTreeSet<usize>);

impl<'ast> syn::visit::Visit<'ast> for LeftOut<'_> {
    fn visit_attribute(&mut self, attribute: &'ast Attribute) {
        documentation_lines(std::slice::from_ref(attribute), self.0);
    }

    fn visit_item_mod(&mut self, module: &'ast syn::ItemMod) {
        let for_tests = module.attrs.iter().any(|attribute| {
            attribute.path().is_ident("cfg")
                && attribute.parse_args::<syn::Path>().is_ok_and(|condition| condition.is_ident("test"))
        });
        if for_tests {
            add_lines(module.span(), self.0);
        } else {
            syn::visit::visit_item_mod(self, module);
        }
    }
}

fn flatten(stream: TokenStream, tokens: &mut Vec<Token>) {
    for tree in stream {
        match tree {
            TokenTree::Group(group) => {
                for edge in [group.span_open(), group.span_close()] {
                    tokens.push(token(None, edge));
                }
                flatten(group.stream(), tokens);
            }
            TokenTree::Ident(word) => tokens.push(token(Some(word.to_string()), word.span())),
            TokenTree::Punct(mark) => tokens.push(token(None, mark.span())),
            TokenTree::Literal(literal) => tokens.push(token(None, literal.span())),
        }
    }
}

fn token(word: Option<String>, span: proc_macro2::Span) -> Token {
    Token { word, first_line: span.start().line, last_line: span.end().line }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn source(text: &str) -> SourceFile {
        SourceFile::parse(PathBuf::from("src/lib.rs"), text).unwrap()
    }

    #[test]
    fn only_code_is_counted() {
        let text = "//! Module.\n\n// why\n/// Function.\nfn one() {\n    /* two\n lines */\n    let _a = \"x\n//y\";\n}\n\
                    #[cfg(test)]\nmod tests {\n    #[test]\n    fn two() {}\n}\n#[derive(Debug)]\nstruct S;\n";
        assert_eq!(source(text).code_lines(), 6);
        assert_eq!(source("//! Only words.\n").code_lines(), 0);
    }

    #[test]
    fn unsafe_in_words_is_no_unsafe_code() {
        let text =
            "//! unsafe\n#![forbid(unsafe_code)]\n// unsafe\nfn one() -> &'static str { \"unsafe {}\" }";
        assert!(!source(text).has_unsafe());
        assert!(source(text).forbids_unsafe());
        assert!(source("fn one() { unsafe {} }").has_unsafe());
        assert!(source("unsafe fn one() {}").has_unsafe());
        assert!(!source("#![deny(unsafe_code)]").forbids_unsafe());
        assert!(!source("// #![forbid(unsafe_code)]").forbids_unsafe());
    }

    #[test]
    fn a_table_of_contents_has_no_code_of_its_own() {
        assert!(source("//! A.\nmod a;\npub use a::A;\npub mod b { pub use c::D; }").is_table_of_contents());
        for text in ["fn a() {}", "use a::A;", "struct A;", "pub mod b { fn c() {} }", "const A: u8 = 1;"] {
            assert!(!source(text).is_table_of_contents(), "{text}");
        }
    }

    #[test]
    fn documentation_must_come_first() {
        assert!(source("//! A.\nfn a() {}").has_documentation());
        assert!(!source("#![forbid(unsafe_code)]\n//! A.").has_documentation());
        assert!(!source("// A.\nfn a() {}").has_documentation());
        assert!(!source("/// A.\nfn a() {}").has_documentation());
    }
}
