//! The picture as SVG: classes for the style sheet, no colour of its own.

use super::layout::{LARGE, Layout, Line, MEDIUM, Node, SMALL, Size, layout};
use crate::web::words::{Badge, Tone, escaped};
use askama::filters::HtmlSafe;
use std::{collections::BTreeMap, fmt};

/// Beyond so many boxes have a name only.
const SOME: usize = 24;
/// Beyond so many they have no words.
const MANY: usize = 160;
/// Beyond so many lines they are faint.
const DENSE: usize = 40;
/// Beyond so many there are none.
const TANGLE: usize = 3000;
/// Beyond so many there is no picture.
const MOST: usize = 5000;

/// A container in the picture.
#[derive(Clone, Debug)]
pub(in crate::web) struct Shown {
    pub(in crate::web) name: String,
    pub(in crate::web) host: String,
    pub(in crate::web) badge: Badge,
    /// Below its name: the state in more words.
    pub(in crate::web) line: String,
    /// Containers that come before it, by name.
    pub(in crate::web) needs: Vec<String>,
}

/// Containers, laid out. Writes itself.
#[derive(Clone, Debug)]
pub(in crate::web) struct Picture {
    shown: Vec<Shown>,
    layout: Layout,
    /// What it shows, in a sentence.
    says: String,
}

impl Picture {
    /// A picture of those, with what it shows in a sentence.
    pub(in crate::web) fn of(mut shown: Vec<Shown>, what: &str) -> Self {
        shown.truncate(MOST);
        let numbers: BTreeMap<&str, usize> =
            shown.iter().enumerate().map(|(number, one)| (one.name.as_str(), number)).collect();
        let nodes: Vec<Node<'_>> = shown
            .iter()
            .map(|one| Node {
                name: &one.name,
                lane: &one.host,
                needs: one.needs.iter().filter_map(|name| numbers.get(name.as_str()).copied()).collect(),
            })
            .collect();
        let laid_out = layout(&nodes, size(shown.len()));
        let hosts = laid_out.lanes.len();
        let plural = |count: usize, one: &str| format!("{count} {one}{}", if count == 1 { "" } else { "s" });
        let says = format!(
            "{what}: {} on {}, {}. The table below says the same in words.",
            plural(shown.len(), "container"),
            plural(hosts, "host"),
            match laid_out.lines.len() {
                0 => "none waits for another".to_owned(),
                count => plural(count, "dependency").replace("dependencys", "dependencies"),
            }
        );
        Self { shown, layout: laid_out, says }
    }

    pub(in crate::web) fn is_empty(&self) -> bool {
        self.shown.is_empty()
    }

    /// Whether there are dependencies to be explained.
    pub(in crate::web) fn has_lines(&self) -> bool {
        !self.layout.lines.is_empty()
    }

    fn line(&self, f: &mut fmt::Formatter<'_>, line: &Line) -> fmt::Result {
        // What is still awaited stands out.
        let awaits =
            matches!(self.shown[line.to].badge.tone, Tone::Wait) && self.shown[line.from].badge.tone != Tone::Ok;
        let class = if awaits { " class=\"awaits\"" } else { "" };
        write!(f, "<path{class} d=\"{}\" data-from=\"{}\" data-to=\"{}\"/>", line.path, line.from, line.to)
    }

    fn large(&self, f: &mut fmt::Formatter<'_>, number: usize, one: &Shown) -> fmt::Result {
        let (place, tone) = (self.layout.places[number], one.badge.tone.as_str());
        write!(
            f,
            "<g class=\"node {tone}\" data-node=\"{number}\" data-goto=\"c-{name}\" transform=\"translate({} {})\"><title>{name}: {word}, on {host}{}</title>\
             <rect width=\"{}\" height=\"{}\" rx=\"8\"/><use href=\"#i-{tone}\" x=\"10\" y=\"8\" width=\"16\" height=\"16\"/>\
             <text class=\"name\" x=\"32\" y=\"21\">{}</text><text class=\"line\" x=\"11\" y=\"40\">{}</text></g>",
            place.x,
            place.y,
            Needs(&one.needs),
            LARGE.width,
            LARGE.height,
            escaped(&cut(&one.name, 21)),
            escaped(&cut(&one.line, 28)),
            name = escaped(&one.name),
            word = escaped(&one.badge.word),
            host = escaped(&one.host),
        )
    }

    fn medium(&self, f: &mut fmt::Formatter<'_>, number: usize, one: &Shown) -> fmt::Result {
        let (place, tone) = (self.layout.places[number], one.badge.tone.as_str());
        write!(
            f,
            "<g class=\"node {tone}\" data-node=\"{number}\" data-goto=\"c-{name}\" transform=\"translate({} {})\"><title>{name}: {}, on {}{}</title>\
             <rect width=\"{}\" height=\"{}\" rx=\"6\"/><use href=\"#i-{tone}\" x=\"8\" y=\"8\" width=\"14\" height=\"14\"/>\
             <text class=\"name\" x=\"28\" y=\"20\">{}</text></g>",
            place.x,
            place.y,
            escaped(&one.badge.word),
            escaped(&one.host),
            Needs(&one.needs),
            MEDIUM.width,
            MEDIUM.height,
            escaped(&cut(&one.name, 11)),
            name = escaped(&one.name),
        )
    }

    fn small(&self, f: &mut fmt::Formatter<'_>, number: usize, one: &Shown) -> fmt::Result {
        let (place, tone) = (self.layout.places[number], one.badge.tone.as_str());
        write!(
            f,
            "<g class=\"node {tone}\" data-node=\"{number}\" data-goto=\"c-{name}\" transform=\"translate({} {})\"><title>{name}: {}, on {}</title>\
             <rect width=\"{}\" height=\"{}\" rx=\"4\"/><use href=\"#i-{tone}\" x=\"9\" y=\"5\" width=\"12\" height=\"12\"/></g>",
            place.x,
            place.y,
            escaped(&one.badge.word),
            escaped(&one.host),
            SMALL.width,
            SMALL.height,
            name = escaped(&one.name),
        )
    }
}

impl fmt::Display for Picture {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Layout { width, height, lanes, lines, .. } = &self.layout;
        write!(
            f,
            "<svg class=\"picture\" role=\"img\" aria-label=\"{}\" width=\"{width}\" height=\"{height}\" viewBox=\"0 0 {width} {height}\">\
             <defs><marker id=\"arrow\" viewBox=\"0 0 8 8\" refX=\"7\" refY=\"4\" markerWidth=\"7\" markerHeight=\"7\" orient=\"auto\"><path d=\"M0 0.5L7.5 4L0 7.5z\"/></marker></defs>",
            escaped(&self.says)
        )?;
        for lane in lanes {
            write!(
                f,
                "<g class=\"lane\"><rect x=\"{}\" y=\"{}\" width=\"{}\" height=\"{}\" rx=\"12\"/><text x=\"{}\" y=\"{}\">{}</text></g>",
                lane.x,
                lane.y,
                lane.width,
                lane.height,
                lane.x + 14,
                lane.y + 22,
                escaped(&lane.name),
            )?;
        }
        if lines.len() <= TANGLE {
            f.write_str(if lines.len() > DENSE { "<g class=\"lines dense\">" } else { "<g class=\"lines\">" })?;
            lines.iter().try_for_each(|line| self.line(f, line))?;
            f.write_str("</g>")?;
        }
        let count = self.shown.len();
        for (number, one) in self.shown.iter().enumerate() {
            if count <= SOME {
                self.large(f, number, one)?;
            } else if count <= MANY {
                self.medium(f, number, one)?;
            } else {
                self.small(f, number, one)?;
            }
        }
        f.write_str("</svg>")
    }
}

impl HtmlSafe for Picture {}

fn size(count: usize) -> Size {
    if count <= SOME {
        LARGE
    } else if count <= MANY {
        MEDIUM
    } else {
        SMALL
    }
}

struct Needs<'n>(&'n [String]);

impl fmt::Display for Needs<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.0.is_empty() {
            return Ok(());
        }
        write!(f, "; needs {}", escaped(&self.0.join(", ")))
    }
}

/// The beginning and the end of a text that is too long: the end tells replicas apart.
fn cut(text: &str, most: usize) -> String {
    let count = text.chars().count();
    if count <= most {
        return text.to_owned();
    }
    let tail = most / 3;
    let head: String = text.chars().take(most - tail - 1).collect();
    let end: String = text.chars().skip(count - tail).collect();
    format!("{head}…{end}")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(name: &str, host: &str, needs: &[&str]) -> Shown {
        Shown {
            name: name.to_owned(),
            host: host.to_owned(),
            badge: Badge::new(Tone::Ok, "running"),
            line: "running".to_owned(),
            needs: needs.iter().map(|need| (*need).to_owned()).collect(),
        }
    }

    #[test]
    fn names_are_text_and_the_picture_says_what_it_shows() {
        let picture =
            Picture::of(vec![shown("<script>", "vm\"1", &["db"]), shown("db", "vm\"1", &["nobody"])], "Stack shop");
        let svg = picture.to_string();
        assert!(!svg.contains("<script>") && svg.contains("&#60;script&#62;"), "{svg}");
        assert!(svg.contains("Stack shop: 2 containers on 1 host, 1 dependency."), "{svg}");
        assert!(!svg.contains("style="), "a style would be against the policy");
    }

    #[test]
    fn very_many_are_small_and_still_told() {
        let picture = Picture::of((0..1000).map(|number| shown(&format!("c{number}"), "vm1", &[])).collect(), "s");
        let svg = picture.to_string();
        assert!(svg.len() < 400_000 && svg.contains("<title>c999: running, on vm1</title>"));
    }

    #[test]
    fn a_long_name_keeps_its_end() {
        assert_eq!(cut("a-very-long-name-of-a-container-17", 18), "a-very-long…ner-17");
        assert_eq!(cut("short", 18), "short");
    }
}
