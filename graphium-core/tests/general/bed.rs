//! Documents, and the two processors that the tests compare.

use graphium_core::document::{
    Formatted, NATIVE_CONTEXT, NATIVE_CONTEXT_DOCUMENT, Profile, ReadContext, Reading, format, read,
};
use json_ld::{
    Context, Expand as _, ExpandedDocument, Flatten as _, IriBuf, RdfQuads as _, RemoteDocument,
    expansion::Options,
    rdf_types::{RdfDisplay as _, generator::Blank, vocabulary::no_vocabulary_mut},
    syntax::{IntoJsonWithContext as _, Parse as _, Print as _, Value},
};
use oxjsonld::{JsonLdParser, JsonLdRemoteDocument};
use oxrdf::{
    Dataset, GraphName, Quad, Term,
    dataset::{CanonicalizationAlgorithm, CanonicalizationHashAlgorithm},
};
use std::{collections::HashMap, fs, path::PathBuf, thread};

/// Where a document is said to stand when its graph is compared: relative names need a base there.
pub(crate) const BASE: &str = "https://example.org/stacks/here";

/// The project's native documents: name and text.
pub(crate) fn native() -> Vec<(String, String)> {
    let root = PathBuf::from(env!("CARGO_MANIFEST_DIR"));
    let mut folder: Vec<PathBuf> =
        fs::read_dir(root.join("tests/general/native")).unwrap().map(|entry| entry.unwrap().path()).collect();
    folder.extend(fs::read_dir(root.join("../examples/stacks")).unwrap().map(|entry| entry.unwrap().path()));
    folder.push(root.join("../graphium-server/src/demo/shop.jsonld"));
    folder.sort();
    let texts = folder.into_iter().filter_map(|path| {
        let text = fs::read_to_string(&path).ok()?;
        let is_native =
            serde_json::from_str::<serde_json::Value>(&text).unwrap()["@context"].to_string().contains(NATIVE_CONTEXT);
        is_native.then(|| (path.file_stem().unwrap().to_string_lossy().into_owned(), text))
    });
    texts.collect()
}

pub(crate) fn reads(source: &str) -> Reading {
    read(source, &ReadContext::default()).unwrap_or_else(|mistakes| {
        let shown: Vec<String> = mistakes.iter().map(ToString::to_string).collect();
        panic!("{source}\n{}", shown.join("\n"))
    })
}

/// Reads a document that must be of the general profile, and say the same in the native form.
pub(crate) fn reads_generally(source: &str) -> Reading {
    let reading = reads(source);
    assert_eq!(reading.profile, Profile::General, "{source}");
    rewrites(source, &reading);
    reading
}

/// Formats a document of the general profile, and holds the result to all that every formatted document has.
pub(crate) fn rewrites(source: &str, reading: &Reading) -> Formatted {
    let new = format(source).unwrap_or_else(|mistakes| panic!("{source}\n{mistakes:#?}"));
    assert_eq!(new.profile, Profile::General);
    let native = reads(&new.text);
    assert_eq!(native.profile, Profile::Native, "{}", new.text);
    assert_eq!(native.stack, reading.stack, "{source}\n{}", new.text);
    assert_eq!(native.options, reading.options, "{source}");
    let again = format(&new.text).unwrap_or_else(|mistakes| panic!("{}\n{mistakes:#?}", new.text));
    assert_eq!((again.text.as_str(), again.notes.as_slice()), (new.text.as_str(), &[][..]), "{source}");
    new
}

/// The processor's recursion is deep in debug builds, and test threads are small.
fn with_room<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> T {
    thread::Builder::new().stack_size(256 << 20).spawn(work).unwrap().join().unwrap()
}

fn expanded(source: &str, base: Option<&str>) -> Result<ExpandedDocument, String> {
    let iri = |text: &str| IriBuf::new(text.to_owned()).unwrap();
    let context = Value::parse_str(NATIVE_CONTEXT_DOCUMENT).unwrap().0;
    let url = iri(NATIVE_CONTEXT);
    let loader = HashMap::from([(url.clone(), RemoteDocument::new(Some(url), None, context))]);
    let base = base.map(iri);
    let document = Value::parse_str(source).unwrap().0;
    let context = Context::new(base.clone());
    let vocabulary = no_vocabulary_mut();
    let expansion = document.expand_full(vocabulary, context, base.as_ref(), &loader, Options::default(), ());
    futures::FutureExt::now_or_never(expansion).unwrap().map_err(|error| error.to_string())
}

/// The expanded form.
pub(crate) fn expand(source: &str, base: Option<&str>) -> Result<String, String> {
    let (source, base) = (source.to_owned(), base.map(str::to_owned));
    with_room(move || {
        let expanded = expanded(&source, base.as_deref())?;
        Ok(expanded.into_objects().into_json_with(&()).pretty_print().to_string())
    })
}

/// The flattened form.
pub(crate) fn flatten(source: &str) -> String {
    let source = source.to_owned();
    with_room(move || {
        let flat = expanded(&source, None).unwrap().flatten(Blank::new(), false).unwrap();
        flat.into_json_with(&()).pretty_print().to_string()
    })
}

/// The graph as the `json-ld` crate has it.
pub(crate) fn graph_of_json_ld(source: &str) -> Dataset {
    let source = source.to_owned();
    with_room(move || {
        let mut expanded = expanded(&source, Some(BASE)).unwrap();
        let mut generator = Blank::new();
        expanded.relabel_and_canonicalize_with(no_vocabulary_mut(), &mut generator);
        let term = |text: String| text.parse::<Term>().unwrap_or_else(|error| panic!("{text}: {error}"));
        let quads = expanded.rdf_quads(&mut generator, None).cloned().map(|quad| {
            let subject = match term(quad.0.rdf_display().to_string()) {
                Term::NamedNode(node) => node.into(),
                Term::BlankNode(node) => oxrdf::NamedOrBlankNode::from(node),
                other => panic!("{other} is no subject"),
            };
            let Term::NamedNode(property) = term(quad.1.rdf_display().to_string()) else { panic!("no property") };
            let graph = match quad.3.map(|graph| term(graph.rdf_display().to_string())) {
                None => GraphName::DefaultGraph,
                Some(Term::NamedNode(node)) => node.into(),
                Some(Term::BlankNode(node)) => node.into(),
                Some(other) => panic!("{other} is no graph"),
            };
            Quad::new(subject, property, term(quad.2.rdf_display().to_string()), graph)
        });
        canonical(quads.collect())
    })
}

/// The graph as oxjsonld has it.
pub(crate) fn graph_of_oxjsonld(source: &str) -> Dataset {
    let parser = JsonLdParser::new().with_base_iri(BASE).unwrap().for_slice(source.as_bytes());
    let parser = parser.with_load_document_callback(|url, _| match url {
        NATIVE_CONTEXT => {
            let document = NATIVE_CONTEXT_DOCUMENT.as_bytes().to_vec();
            Ok(JsonLdRemoteDocument { document, document_url: url.to_owned() })
        }
        other => Err(format!("{other} is not there").into()),
    });
    canonical(parser.map(|quad| quad.unwrap()).collect())
}

fn canonical(mut dataset: Dataset) -> Dataset {
    dataset.canonicalize(CanonicalizationAlgorithm::Rdfc10 { hash_algorithm: CanonicalizationHashAlgorithm::Sha256 });
    dataset
}

/// Its quads as sorted lines.
pub(crate) fn lines(dataset: &Dataset) -> Vec<String> {
    let mut lines: Vec<String> = dataset.iter().map(|quad| quad.to_string()).collect();
    lines.sort();
    lines
}
