//! Mounts, in the forms that documents have.

use super::super::{code::Code, node::Node, object::Object, reader::Reader, schema};
use super::container::ContainerDraft;
use crate::stack::{Mount, MountKind, Volume};
use json_syntax::Value;
use std::collections::HashSet;

impl Reader<'_> {
    pub(super) fn mounts<'d>(&mut self, object: &Object<'d>, draft: &mut ContainerDraft<'d>) {
        let items: Vec<Node<'d>> = object.all("volumeMounts").flat_map(|member| member.value.items()).collect();
        let mut targets = HashSet::with_capacity(items.len());
        let mut secrets = Vec::new();
        for node in items {
            let mount = match node.value() {
                Value::Object(object) if object.contains_key("value") => self.storage(node),
                Value::Object(_) => self.mount(node, &mut draft.volumes),
                Value::String(_) => self.storage_text(node, node),
                _ => {
                    self.wrong_type(node, "an object (a mount)", "");
                    None
                }
            };
            let Some(mut mount) = mount else { continue };
            if matches!(mount.kind, MountKind::Secret { .. }) {
                mount.read_only = false;
                secrets.push((clean(&mount.target), node));
            }
            let target = clean(&mount.target);
            if target == "/" {
                let at = node.get("target").or_else(|| node.get("mountPath")).unwrap_or(node);
                let message =
                    format!("`{}` is the root of the container: nothing can be mounted there", at.quote(&mount.target));
                self.error(Code::BadPath, at, message, "mount it in a folder, as in \"/data\"");
            } else if !targets.insert(target) {
                let message = format!("two mounts have the target `{}`", node.quote(&mount.target));
                self.error(Code::DuplicateName, node, message, "mount one of them elsewhere");
            }
            draft.container.volume_mounts.push(mount);
        }
        for (target, node) in secrets {
            let mut others = draft.container.volume_mounts.iter().map(|mount| clean(&mount.target));
            // What is put into the container is hidden by what is mounted over it, or lies in a volume for good.
            let over =
                others.find(|other| target.strip_prefix(other.as_str()).is_some_and(|rest| rest.starts_with('/')));
            if over.is_some() {
                let message = "the file of a secret lies within another mount, which would hide or keep it";
                self.error(Code::BadPath, node, message, "give it a `target` of its own, as in \"/run/secrets/NAME\"");
            }
        }
    }

    fn mount<'d>(&mut self, node: Node<'d>, volumes: &mut Vec<(Volume, Node<'d>)>) -> Option<Mount> {
        let object = self.object(node, &schema::MOUNT)?;
        let source = self.text_of(&object, "source").filter(|source| !source.is_empty());
        let target = self.target(&object);
        let read_only = self.flag_of(&object, "readOnly").unwrap_or(false);
        let word = match object.get("type") {
            Some(_) => self.word_of(&object, "type"),
            None if source.as_deref().is_some_and(is_path) => Some("bind"),
            None => Some("volume"),
        };
        let options = self.options_of_mount(&object, word);
        if let (Some("tmpfs"), Some(_), Some(at)) = (word, &source, object.get("source")) {
            let message = "`source` has no effect on a mount of type `tmpfs`".to_owned();
            self.findings.add(Code::IgnoredKey, at, message, Some("leave it out".to_owned()));
        }
        let kind = match word? {
            "bind" => self.bind(&object, source, options.as_ref()),
            "secret" => self.secret_file(&object, source, read_only),
            "tmpfs" => Some(MountKind::Tmpfs {
                size: options.as_ref().and_then(|options| self.size_of(options, "size")),
                mode: options.as_ref().and_then(|options| self.mode(options)),
            }),
            _ => self.volume_mount(&object, source, options.as_ref(), volumes),
        };
        Some(Mount { kind: kind?, target: target?, read_only })
    }

    /// The options that go with the type; those of other types are an error.
    fn options_of_mount<'d>(&mut self, object: &Object<'d>, word: Option<&str>) -> Option<Object<'d>> {
        let mut own = None;
        for (of, name) in [("volume", "volumeOptions"), ("bind", "bindOptions"), ("tmpfs", "tmpfsOptions")] {
            let options = self.below(object, name);
            match word {
                Some(word) if word == of => own = options,
                Some(word) => {
                    if let Some(node) = object.get(name) {
                        let message = format!("`{name}` has no meaning for a mount of type `{word}`");
                        let help = match word {
                            "secret" => "leave it out".to_owned(),
                            word => format!("use `{word}Options`, or write \"type\": \"{of}\""),
                        };
                        self.error(Code::UnknownKey, node, message, help);
                    }
                    for (_, member) in object.raised(name) {
                        let message = format!("`{}` has no effect on a mount of type `{word}`", member.key);
                        self.findings.add(Code::IgnoredKey, &member, message, None);
                    }
                }
                None => {}
            }
        }
        own
    }

    fn target(&mut self, object: &Object<'_>) -> Option<String> {
        let Some(node) = object.get("target") else {
            self.error(Code::MissingKey, object.node, "a mount needs a target", "add \"target\": \"/path/inside\"");
            return None;
        };
        let target = self.text(node)?;
        self.absolute(node, &target).then_some(target)
    }

    fn absolute(&mut self, node: Node<'_>, path: &str) -> bool {
        let absolute = path.starts_with('/');
        if !absolute {
            self.error(Code::BadPath, node, format!("`{}` is no absolute path", node.quote(path)), "begin it with `/`");
        }
        absolute
    }

    fn bind(&mut self, object: &Object<'_>, source: Option<String>, options: Option<&Object<'_>>) -> Option<MountKind> {
        let (Some(source), Some(at)) = (source, object.get("source")) else {
            let help = "add \"source\": \"/path/on/the/host\"";
            self.error(Code::MissingKey, object.node, "a bind mount needs a source", help);
            return None;
        };
        self.warn_relative(at, &source);
        let propagation = options.and_then(|options| self.word_of(options, "propagation")).map(str::to_owned);
        let create_host_path = options.and_then(|options| self.flag_of(options, "createHostPath")).unwrap_or(false);
        Some(MountKind::Bind { source, propagation, create_host_path })
    }

    /// A secret as a file: named as elsewhere, and readable for everybody in its container.
    fn secret_file(&mut self, object: &Object<'_>, source: Option<String>, read_only: bool) -> Option<MountKind> {
        let (Some(source), Some(at)) = (source, object.get("source")) else {
            let help = "add \"source\": \"NAME\", the name of the secret";
            self.error(Code::MissingKey, object.node, "a file of a secret names the secret", help);
            return None;
        };
        if let (true, Some(at)) = (read_only, object.get("readOnly")) {
            let message = "`readOnly` has no effect on a mount of type `secret`".to_owned();
            self.findings.add(Code::IgnoredKey, at, message, Some("leave it out".to_owned()));
        }
        if is_path(&source) {
            let message = format!("`{}` cannot be the name of a secret", at.quote(&source));
            self.error(Code::BadName, at, message, "use letters, digits, `-`, `_` and `.`");
            return None;
        }
        Some(MountKind::Secret { source })
    }

    fn warn_relative(&mut self, at: Node<'_>, source: &str) {
        if !source.starts_with('/') {
            let message = format!("`{}` is relative, which means nothing on another host", at.quote(source));
            self.findings.add(Code::RelativeSource, at, message, Some("use an absolute path on the host".into()));
        }
    }

    fn volume_mount<'d>(
        &mut self,
        object: &Object<'d>,
        source: Option<String>,
        options: Option<&Object<'d>>,
        volumes: &mut Vec<(Volume, Node<'d>)>,
    ) -> Option<MountKind> {
        if let (Some(source), Some(at)) = (&source, object.get("source"))
            && !self.volume_name(at, source)
        {
            return None;
        }
        let (mut no_copy, mut subpath) = (false, None);
        if let Some(options) = options {
            no_copy = self.flag_of(options, "noCopy").unwrap_or(false);
            subpath = self.text_of(options, "subpath");
            let volume = Volume {
                name: source.clone().unwrap_or_default(),
                driver: self.text_of(options, "driver"),
                driver_opts: self.text_map_of(options, "driverOpts"),
                labels: self.labels_of(options),
                external: false,
            };
            if volume.driver.is_some() || !volume.driver_opts.is_empty() || !volume.labels.is_empty() {
                match source {
                    Some(_) => volumes.push((volume, object.node)),
                    None => {
                        let message = "driver, options and labels are those of a volume with a name";
                        self.error(Code::MissingKey, object.node, message, "add `source`, the name of the volume");
                    }
                }
            }
        }
        Some(MountKind::Volume { source, no_copy, subpath })
    }

    fn volume_name(&mut self, at: Node<'_>, name: &str) -> bool {
        let sound = name.starts_with(|c: char| c.is_ascii_alphanumeric())
            && name.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.'));
        if !sound {
            let help = match is_path(name) {
                true => "write \"type\": \"bind\" to mount a path of the host",
                false => "use letters, digits, `-`, `_` and `.`",
            };
            self.error(Code::BadName, at, format!("`{}` cannot be the name of a volume", at.quote(name)), help);
        }
        sound
    }

    /// Mode bits: a number, or octal digits in a string.
    fn mode(&mut self, options: &Object<'_>) -> Option<u32> {
        let node = options.get("mode")?;
        let Some(written) = node.as_str() else { return self.integer(node, 0, 0o7777) };
        let text = self.fill(node, written)?;
        let mode = u32::from_str_radix(&text, 8).ok().filter(|mode| *mode <= 0o7777);
        if mode.is_none() {
            let message = format!("`{}` is no mode", node.quote(&text));
            self.error(Code::BadNumber, node, message, "write octal digits as in \"1777\"");
        }
        mode
    }

    /// `{value: "source:target"}`, as older documents have it.
    fn storage(&mut self, node: Node<'_>) -> Option<Mount> {
        let object = self.object(node, &schema::PROPERTY_VALUE)?;
        let value = object.get("value")?;
        self.storage_text(node, value)
    }

    fn storage_text(&mut self, node: Node<'_>, value: Node<'_>) -> Option<Mount> {
        let text = self.text(value)?;
        let mut halves = text.splitn(3, ':');
        let (Some(source), Some(target)) = (halves.next(), halves.next()) else {
            self.error(
                Code::BadForm,
                value,
                format!("`{}` is not `source:target`", value.quote(&text)),
                "write \"source:/path/inside\"",
            );
            return None;
        };
        let read_only = match halves.next() {
            None | Some("rw") => false,
            Some("ro") => true,
            Some(other) => {
                self.error(
                    Code::BadForm,
                    value,
                    format!("`{}` is no mode of a mount", value.quote(other)),
                    "write `ro`, `rw` or nothing",
                );
                return None;
            }
        };
        if !self.absolute(value, target) || !is_path(source) && !self.volume_name(value, source) {
            return None;
        }
        let (word, kind) = if is_path(source) {
            self.warn_relative(value, source);
            ("bind", MountKind::Bind { source: source.to_owned(), propagation: None, create_host_path: false })
        } else {
            ("volume", MountKind::Volume { source: Some(source.to_owned()), no_copy: false, subpath: None })
        };
        let (shown, at) = if value.has_variables() { ("…", "…") } else { (source, target) };
        let canonical = format!("write {{\"type\": \"{word}\", \"source\": \"{shown}\", \"target\": \"{at}\"}}");
        let mount = Mount { kind, target: target.to_owned(), read_only };
        self.older_form(node, "a mount as `source:target`", canonical).then_some(mount)
    }
}

/// A path as an engine understands it: without empty parts, `.` and `..`.
fn clean(path: &str) -> String {
    let mut parts: Vec<&str> = Vec::new();
    for part in path.split('/') {
        match part {
            "" | "." => {}
            ".." => drop(parts.pop()),
            part => parts.push(part),
        }
    }
    format!("/{}", parts.join("/"))
}

/// Whether a source is a path of the host rather than the name of a volume.
pub(in super::super) fn is_path(source: &str) -> bool {
    source.starts_with(['/', '.', '~'])
}
