//! Types as the sources say them.

use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
};
use syn::{Attribute, Fields, Item, Meta, Token, UseTree, punctuated::Punctuated};

/// Every type of the sources, by name; of one name there may be several in different files.
pub(super) struct Sources {
    types: BTreeMap<String, Vec<Found>>,
    /// By file: names that it imports, each with its path.
    imports: BTreeMap<PathBuf, BTreeMap<String, Vec<String>>>,
}

/// A type, and where it stands.
#[derive(Clone)]
pub(super) struct Found {
    pub(super) file: PathBuf,
    pub(super) kind: Kind,
}

#[derive(Clone)]
pub(super) enum Kind {
    Struct(syn::ItemStruct),
    Enum(syn::ItemEnum),
    Alias(syn::Type),
    /// An id: a text.
    Id(String),
    /// A part of a list: the name of its field, and its items.
    Listing(String, String, String),
}

impl Sources {
    pub(super) fn read(folders: &[PathBuf]) -> Self {
        let mut sources = Self { types: BTreeMap::new(), imports: BTreeMap::new() };
        let mut files = Vec::new();
        folders.iter().for_each(|folder| below(folder, &mut files));
        files.sort();
        for file in files {
            let text = std::fs::read_to_string(&file).unwrap();
            let parsed = syn::parse_file(&text).unwrap_or_else(|error| panic!("{}: {error}", file.display()));
            for item in parsed.items {
                sources.take(&file, item);
            }
        }
        sources
    }

    fn take(&mut self, file: &Path, item: Item) {
        let mut add = |name: String, kind| {
            self.types.entry(name).or_default().push(Found { file: file.to_owned(), kind });
        };
        match item {
            Item::Struct(item) => add(item.ident.to_string(), Kind::Struct(item)),
            Item::Enum(item) => add(item.ident.to_string(), Kind::Enum(item)),
            Item::Type(item) => add(item.ident.to_string(), Kind::Alias(*item.ty)),
            Item::Macro(item) if item.mac.path.is_ident("id") => {
                let tokens = item.mac.tokens.to_string();
                let name = tokens.split_whitespace().last().unwrap_or_default().to_owned();
                add(name, Kind::Id(docs_of_macro(&tokens)));
            }
            Item::Macro(item) if item.mac.path.is_ident("listing") => {
                let tokens = item.mac.tokens.to_string();
                let docs = docs_of_macro(&tokens);
                let rest = tokens.rsplit(']').next().unwrap_or_default().replace(' ', "");
                let (name, field) = rest.split_once(',').unwrap();
                let (field, item) = field.split_once(':').unwrap();
                add(name.to_owned(), Kind::Listing(docs, field.to_owned(), item.to_owned()));
            }
            Item::Use(item) => {
                let imports = self.imports.entry(file.to_owned()).or_default();
                walk(&item.tree, &mut Vec::new(), imports);
            }
            _ => {}
        }
    }

    /// A type as it is called in a file: that of the file itself, else the only one, else the one whose place fits the import best.
    pub(super) fn find(&self, name: &str, from: &Path) -> Option<&Found> {
        let found = self.types.get(name)?;
        if let Some(own) = found.iter().find(|found| found.file == from) {
            return Some(own);
        }
        if let [only] = &found[..] {
            return Some(only);
        }
        let path = self.imports.get(from).and_then(|imports| imports.get(name));
        let fit = |found: &&Found| {
            let place = found.file.to_string_lossy().replace(['-', '/'], "_");
            // Where all of it lies says nothing.
            let place = place.rfind("_graphium_").map_or(&*place, |start| &place[start..]);
            let named = path.into_iter().flatten().filter(|part| place.contains(&format!("_{part}"))).count();
            let near = found.file.components().zip(from.components()).take_while(|(one, other)| one == other).count();
            // What the API shows is the control plane's, where nothing else is said.
            (named, near, place.contains("_src_control_"))
        };
        let best = found.iter().max_by_key(fit)?;
        let rivals = found.iter().filter(|found| fit(found) == fit(&best)).count();
        assert_eq!(rivals, 1, "which `{name}` does {} mean? {path:?}", from.display());
        Some(best)
    }

    /// How many types bear a name.
    pub(super) fn count(&self, name: &str) -> usize {
        self.types.get(name).map_or(0, Vec::len)
    }
}

fn below(folder: &Path, files: &mut Vec<PathBuf>) {
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            below(&path, files);
        } else if path.extension().is_some_and(|ending| ending == "rs") {
            files.push(path);
        }
    }
}

fn walk(tree: &UseTree, path: &mut Vec<String>, imports: &mut BTreeMap<String, Vec<String>>) {
    match tree {
        UseTree::Path(part) => {
            path.push(part.ident.to_string());
            walk(&part.tree, path, imports);
            path.pop();
        }
        UseTree::Name(name) => {
            imports.insert(name.ident.to_string(), path.clone());
        }
        UseTree::Group(group) => group.items.iter().for_each(|tree| walk(tree, path, imports)),
        UseTree::Rename(_) | UseTree::Glob(_) => {}
    }
}

fn docs_of_macro(tokens: &str) -> String {
    let quoted = tokens.split('"').collect::<Vec<_>>();
    quoted.iter().skip(1).step_by(2).map(|line| line.trim()).collect::<Vec<_>>().join(" ")
}

/// What serde is told of a type, a field or a variant.
#[derive(Default, Debug)]
pub(super) struct Serde {
    pub(super) rename: Option<String>,
    pub(super) rename_all: Option<String>,
    pub(super) rename_all_fields: Option<String>,
    pub(super) tag: Option<String>,
    pub(super) into: Option<String>,
    pub(super) with: Option<String>,
    pub(super) default: bool,
    pub(super) skip: bool,
    pub(super) flatten: bool,
    pub(super) untagged: bool,
    pub(super) other: bool,
    pub(super) closed: bool,
}

pub(super) fn serde(attributes: &[Attribute]) -> Serde {
    let mut told = Serde::default();
    for attribute in attributes.iter().filter(|attribute| attribute.path().is_ident("serde")) {
        let metas = attribute.parse_args_with(Punctuated::<Meta, Token![,]>::parse_terminated).unwrap();
        for meta in metas {
            let name = meta.path().get_ident().unwrap().to_string();
            let value = match &meta {
                Meta::NameValue(pair) => match &pair.value {
                    syn::Expr::Lit(syn::ExprLit { lit: syn::Lit::Str(text), .. }) => Some(text.value()),
                    _ => None,
                },
                _ => None,
            };
            match name.as_str() {
                "rename" => told.rename = value,
                "rename_all" => told.rename_all = value,
                "rename_all_fields" => told.rename_all_fields = value,
                "tag" => told.tag = value,
                "into" => told.into = value,
                "with" => told.with = value,
                "default" => told.default = true,
                "skip" => told.skip = true,
                "flatten" => told.flatten = true,
                "untagged" => told.untagged = true,
                "other" => told.other = true,
                "deny_unknown_fields" => told.closed = true,
                "transparent" | "skip_serializing_if" | "try_from" | "from" | "remote" => {}
                other => panic!("what `serde({other})` says is not known here"),
            }
        }
    }
    told
}

/// The comment of an item as prose: without links into the code, and without examples, which are of Rust.
pub(super) fn docs(attributes: &[Attribute]) -> String {
    let mut lines = Vec::new();
    for attribute in attributes.iter().filter(|attribute| attribute.path().is_ident("doc")) {
        if let Meta::NameValue(pair) = &attribute.meta
            && let syn::Expr::Lit(syn::ExprLit { lit: syn::Lit::Str(text), .. }) = &pair.value
        {
            lines.push(text.value().trim().to_owned());
        }
    }
    lines.truncate(lines.iter().position(|line| line == "# Example").unwrap_or(lines.len()));
    prose(&lines.join(" "))
}

/// `[`Name`](path)` and `[text](path)` become what is shown of them.
pub(super) fn prose(text: &str) -> String {
    let mut plain = String::new();
    let mut rest = text;
    while let Some(start) = rest.find('[') {
        plain.push_str(&rest[..start]);
        let inside = &rest[start + 1..];
        let Some(end) = inside.find(']') else { break };
        let (word, after) = (&inside[..end], &inside[end + 1..]);
        let is_link = after.starts_with('(') || word.starts_with('`');
        if !is_link {
            plain.push('[');
            rest = inside;
            continue;
        }
        plain.push_str(word);
        rest = match after.strip_prefix('(').and_then(|after| after.split_once(')')) {
            Some((_, after)) => after,
            None => after,
        };
    }
    plain.push_str(rest);
    plain.trim().to_owned()
}

/// Whether a struct is another type under a name.
pub(super) fn newtype(fields: &Fields) -> Option<&syn::Type> {
    match fields {
        Fields::Unnamed(fields) if fields.unnamed.len() == 1 => Some(&fields.unnamed[0].ty),
        _ => None,
    }
}
