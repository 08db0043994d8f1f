//! Every public struct, enum, trait and free function of the core is shown in an example that runs with the tests.
//!
//! It is shown where an example of its module (that of the first level: `plan`, `store` …) names it, be it its own, the
//! module's or that of something else there that it is used with; where a reader sees it; and where something is asserted.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::{Path, PathBuf},
};
use syn::{Attribute, Expr, Item, Lit, Meta, UseTree, Visibility};

/// What no running example shows. It only gets shorter.
const WITHOUT_EXAMPLE: &[&str] = &[
    // Only the suite itself makes one, and hands it to its own cases.
    "testing::store_suite::Trial",
];

/// One module, as its file has it.
#[derive(Default)]
struct Module {
    /// What it declares `pub`, by name; whether it is a function.
    items: BTreeMap<String, bool>,
    /// Names that it gives to items of its inner modules: its own name, and the path from here.
    exports: Vec<(String, Vec<String>)>,
    inner: BTreeMap<String, (bool, Self)>,
    /// All documentation in it, the text of inner modules left out.
    docs: Vec<String>,
}

fn is_public(visibility: &Visibility) -> bool {
    matches!(visibility, Visibility::Public(_))
}

fn is_for_tests(attributes: &[Attribute]) -> bool {
    attributes.iter().any(|attribute| match &attribute.meta {
        Meta::List(list) => attribute.path().is_ident("cfg") && list.tokens.to_string() == "test",
        _ => false,
    })
}

/// The documentation that some attributes are, one text; `place` is the file that they stand in.
fn text_of(attributes: &[Attribute], place: &Path) -> String {
    let mut text = String::new();
    for attribute in attributes.iter().filter(|attribute| attribute.path().is_ident("doc")) {
        let Meta::NameValue(pair) = &attribute.meta else { continue };
        match &pair.value {
            Expr::Lit(literal) => {
                let Lit::Str(line) = &literal.lit else { continue };
                text.push_str(&line.value());
            }
            Expr::Macro(call) if call.mac.path.is_ident("include_str") => {
                let name: syn::LitStr = call.mac.parse_body().unwrap();
                text.push_str(&fs::read_to_string(place.parent().unwrap().join(name.value())).unwrap());
            }
            other => {
                panic!("{}: documentation of an unknown form: {:?}", place.display(), std::mem::discriminant(other))
            }
        }
        text.push('\n');
    }
    text
}

fn exports(tree: &UseTree, path: &[String], found: &mut Vec<(String, Vec<String>)>) {
    let with = |name: &syn::Ident| [path, &[name.to_string()]].concat();
    match tree {
        UseTree::Path(inner) => exports(&inner.tree, &with(&inner.ident), found),
        UseTree::Name(name) => found.push((name.ident.to_string(), with(&name.ident))),
        UseTree::Rename(name) => found.push((name.rename.to_string(), with(&name.ident))),
        UseTree::Group(group) => group.items.iter().for_each(|tree| exports(tree, path, found)),
        UseTree::Glob(_) => panic!("`pub use {}::*`: name what is public", path.join("::")),
    }
}

/// Items that the macros of a file make, by what stands in the macros: `pub struct Name`, or `pub struct $name`, where the
/// name is the last word of each call.
fn made_by_macros(file: &syn::File) -> Vec<String> {
    let macros = || file.items.iter().filter_map(|item| if let Item::Macro(item) = item { Some(item) } else { None });
    let mut names = Vec::new();
    for declared in macros().filter(|item| item.mac.path.is_ident("macro_rules")) {
        let text = declared.mac.tokens.to_string();
        for (at, kind) in text.match_indices("pub struct ").chain(text.match_indices("pub enum ")) {
            let name = text[at + kind.len()..].trim_start();
            if name.starts_with('$') {
                let own = declared.ident.as_ref().unwrap();
                let calls = macros().filter(|item| item.mac.path.is_ident(own));
                names.extend(calls.map(|item| item.mac.tokens.clone().into_iter().last().unwrap().to_string()));
            } else {
                names.push(name.chars().take_while(|c| c.is_alphanumeric()).collect());
            }
        }
    }
    names
}

/// The attributes of an item and of all that is within it, as far as it is documented in public.
fn documented(item: &Item) -> Vec<&[Attribute]> {
    let mut all: Vec<&[Attribute]> = Vec::new();
    match item {
        Item::Struct(item) => {
            all.push(&item.attrs);
            all.extend(item.fields.iter().map(|field| field.attrs.as_slice()));
        }
        Item::Enum(item) => {
            all.push(&item.attrs);
            all.extend(item.variants.iter().map(|variant| variant.attrs.as_slice()));
        }
        Item::Trait(item) => {
            all.push(&item.attrs);
            for inner in &item.items {
                if let syn::TraitItem::Fn(method) = inner {
                    all.push(&method.attrs);
                }
            }
        }
        Item::Fn(item) => all.push(&item.attrs),
        Item::Const(item) => all.push(&item.attrs),
        Item::Type(item) => all.push(&item.attrs),
        Item::Impl(item) => {
            all.push(&item.attrs);
            for inner in &item.items {
                if let syn::ImplItem::Fn(method) = inner
                    && (is_public(&method.vis) || item.trait_.is_some())
                {
                    all.push(&method.attrs);
                }
            }
        }
        _ => {}
    }
    all
}

fn load(path: &Path, folder: &Path) -> Module {
    let file = syn::parse_file(&fs::read_to_string(path).unwrap()).unwrap();
    let mut module = Module::default();
    module.docs.push(text_of(&file.attrs, path));
    for name in made_by_macros(&file) {
        module.items.insert(name, false);
    }
    for item in &file.items {
        let declared = match item {
            Item::Struct(item) if is_public(&item.vis) => Some((&item.ident, false)),
            Item::Enum(item) if is_public(&item.vis) => Some((&item.ident, false)),
            Item::Trait(item) if is_public(&item.vis) => Some((&item.ident, false)),
            Item::Fn(item) if is_public(&item.vis) => Some((&item.sig.ident, true)),
            Item::Use(item) if is_public(&item.vis) => {
                exports(&item.tree, &[], &mut module.exports);
                None
            }
            Item::Mod(inner) if inner.content.is_none() && !is_for_tests(&inner.attrs) => {
                let name = inner.ident.to_string();
                let below = folder.join(&name);
                let flat = folder.join(format!("{name}.rs"));
                let source: PathBuf = if flat.exists() { flat } else { below.join("mod.rs") };
                module.inner.insert(name, (is_public(&inner.vis), load(&source, &below)));
                None
            }
            _ => None,
        };
        if let Some((name, is_function)) = declared {
            module.items.insert(name.to_string(), is_function);
        }
        module.docs.extend(documented(item).into_iter().map(|attributes| text_of(attributes, path)));
    }
    module
}

/// What can be reached from outside: its path (the shortest), where it is declared, and whether it is a function.
fn reachable(module: &Module, path: &[String], place: &[String], found: &mut BTreeMap<Vec<String>, (String, bool)>) {
    let mut add = |declared: Vec<String>, name: &str, is_function: bool| {
        let public = [path, &[name.to_owned()]].concat().join("::");
        let known = found.entry(declared).or_insert_with(|| (public.clone(), is_function));
        if public.len() < known.0.len() {
            known.0 = public;
        }
    };
    for (name, is_function) in &module.items {
        add([place, std::slice::from_ref(name)].concat(), name, *is_function);
    }
    for (name, target) in &module.exports {
        let (item, way) = target.split_last().unwrap();
        let mut owner = Some(module);
        let mut declared = place.to_vec();
        for step in way {
            owner = owner.and_then(|owner| owner.inner.get(step)).map(|(_, inner)| inner);
            declared.push(step.clone());
        }
        declared.push(item.clone());
        if let Some(is_function) = owner.and_then(|owner| owner.items.get(item)) {
            add(declared, name, *is_function);
        } else if let Some((_, through)) =
            owner.map(|owner| &owner.exports).into_iter().flatten().find(|(own, _)| own == item)
        {
            declared.pop();
            add([declared, through.clone()].concat(), name, through.last().unwrap().starts_with(char::is_lowercase));
        }
    }
    for (name, (is_public, inner)) in &module.inner {
        if *is_public {
            let below = |path: &[String]| [path, std::slice::from_ref(name)].concat();
            reachable(inner, &below(path), &below(place), found);
        }
    }
}

fn all_docs<'a>(module: &'a Module, found: &mut Vec<&'a str>) {
    found.extend(module.docs.iter().map(String::as_str));
    module.inner.values().for_each(|(_, inner)| all_docs(inner, found));
}

/// The examples in a text that run and assert something, as their readers see them.
fn examples(text: &str) -> Vec<String> {
    let mut found = Vec::new();
    let mut lines = text.lines().map(|line| line.strip_prefix(' ').unwrap_or(line));
    while let Some(line) = lines.next() {
        let Some(kind) = line.trim_start().strip_prefix("```") else { continue };
        let block: Vec<&str> = lines.by_ref().take_while(|line| !line.trim_start().starts_with("```")).collect();
        let runs = kind.split(',').all(|word| matches!(word.trim(), "" | "rust" | "should_panic"));
        if runs && block.iter().any(|line| line.contains("assert")) {
            let is_hidden = |line: &&str| line.trim_start() == "#" || line.trim_start().starts_with("# ");
            let shown: Vec<&str> = block.into_iter().filter(|line| !is_hidden(line)).collect();
            found.push(shown.join("\n"));
        }
    }
    found
}

fn begins_a_statement(before: &str) -> bool {
    before.trim_end_matches(' ').chars().next_back().is_none_or(|last| "\n{;".contains(last))
}

/// The words of some code and what follows each, without what stands in texts, in comments and after `use`.
fn words(code: &str) -> BTreeSet<(String, char)> {
    let mut plain = String::new();
    let mut rest = code;
    while let Some(next) = rest.chars().next() {
        let raw = rest.strip_prefix("r#\"").map(|inner| (inner, "\"#")).or_else(|| {
            let inner = rest.strip_prefix("r\"")?;
            (!plain.ends_with(|c: char| c.is_alphanumeric())).then_some((inner, "\""))
        });
        if let Some((inner, end)) = raw {
            rest = inner.split_once(end).map_or("", |(_, after)| after);
        } else if rest.starts_with("//") {
            rest = rest.split_once('\n').map_or("", |(_, after)| after);
        } else if next == '"' {
            let mut escaped = false;
            let inner = &rest[1..];
            let end = inner.find(|c| {
                let ends = c == '"' && !escaped;
                escaped = c == '\\' && !escaped;
                ends
            });
            rest = end.map_or("", |end| &inner[end + 1..]);
        } else if rest.starts_with("use ") && begins_a_statement(&plain) {
            rest = rest.split_once(';').map_or("", |(_, after)| after);
        } else {
            plain.push(next);
            rest = &rest[next.len_utf8()..];
            continue;
        }
        plain.push(' ');
    }
    let is_word = |c: char| c.is_alphanumeric() || c == '_';
    let mut found = BTreeSet::new();
    let mut at = 0;
    while let Some(start) = plain[at..].find(is_word).map(|offset| at + offset) {
        let end = plain[start..].find(|c| !is_word(c)).map_or(plain.len(), |offset| start + offset);
        let is_method = plain[..start].ends_with('.');
        let next = plain[end..].chars().next().unwrap_or(' ');
        found.insert((plain[start..end].to_owned(), if is_method { '.' } else { next }));
        at = end;
    }
    found
}

#[test]
fn every_public_item_of_the_core_is_shown_in_an_example_that_runs() {
    let source = Path::new(super::ROOT).join("graphium-core/src");
    let root = load(&source.join("lib.rs"), &source);
    let mut items = 0;
    let mut without = BTreeSet::new();
    for (name, (is_public, module)) in &root.inner {
        if !is_public {
            continue;
        }
        let mut docs = Vec::new();
        all_docs(module, &mut docs);
        let shown: BTreeSet<_> = docs.into_iter().flat_map(examples).flat_map(|code| words(&code)).collect();
        let mut found = BTreeMap::new();
        reachable(module, std::slice::from_ref(name), std::slice::from_ref(name), &mut found);
        items += found.len();
        for (path, is_function) in found.into_values() {
            let own = path.rsplit("::").next().unwrap();
            // A function is shown where it is called, or handed on.
            let is_shown = |(word, next): &(String, char)| word == own && (!is_function || "(:,)".contains(*next));
            if !shown.iter().any(is_shown) {
                without.insert(path);
            }
        }
    }
    assert!(items > 300, "only {items} public items found: is the root right?");
    let known: BTreeSet<String> = WITHOUT_EXAMPLE.iter().map(|&path| path.to_owned()).collect();
    let new: Vec<_> = without.difference(&known).collect();
    assert!(new.is_empty(), "{} of {items} items are in no running doc example of their module: {new:#?}", new.len());
    let gone: Vec<_> = known.difference(&without).collect();
    assert!(gone.is_empty(), "these are shown, or are no more: take them out of the list: {gone:#?}");
}

#[test]
fn only_code_that_runs_and_is_seen_counts() {
    let text = "\n ```\n use a::Imported;\n # hidden(1);\n let x: Shown = made(\"Text\"); // Comment\n assert!(x.method(r#\"Raw\"#));\n ```\n\
                \n ```text\n assert Diagram\n ```\n ```no_run\n assert!(Idle)\n ```\n ```\n Nothing\n ```\n";
    let shown: BTreeSet<_> = examples(text).iter().flat_map(|code| words(code)).collect();
    let expected =
        [("Shown", ' '), ("assert", '!'), ("let", ' '), ("made", '('), ("method", '.'), ("x", '.'), ("x", ':')];
    assert_eq!(shown, expected.map(|(word, next)| (word.to_owned(), next)).into());
}
