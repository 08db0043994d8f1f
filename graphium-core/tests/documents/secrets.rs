//! What variables hold goes into no diagnostic: it may be a secret, and diagnostics go to logs and into answers.

use graphium_core::document::{ReadContext, read};

const VALUE: &str = "S3cret Marker";

/// Reads a document in which every variable has the value, and tells the codes of what is found.
fn codes_of(source: &str) -> Vec<String> {
    let value = |_: &str| Some(VALUE.to_owned());
    let found = match read(source, &ReadContext::new(&value)) {
        Ok(reading) => reading.notes,
        Err(found) => found,
    };
    for diagnostic in &found {
        let told = format!("{}\n{}", diagnostic.message, diagnostic.help.as_deref().unwrap_or_default());
        assert!(!told.contains(VALUE) && !told.contains("Marker"), "{source}\n{diagnostic:#?}");
    }
    found.into_iter().map(|diagnostic| diagnostic.code.to_string()).collect()
}

#[test]
fn no_field_of_a_container_tells_the_value_of_a_variable() {
    let cases = [
        (r#""image": "${SECRET}""#, "bad-form"),
        (r#""stopSignal": "${SECRET}""#, "unknown-value"),
        (r#""networkMode": "${SECRET}""#, "unknown-value"),
        (r#""networkMode": "container:${SECRET}""#, "outside-stack"),
        (r#""pid": "${SECRET}""#, "unknown-value"),
        (r#""ports": [{"value": "80", "description": "${SECRET}:80:80"}]"#, "older-form"),
        (r#""restartPolicy": "${SECRET}""#, "unknown-restart-policy"),
        (r#""pullPolicy": "${SECRET}""#, "unknown-value"),
        (r#""stopGracePeriod": "${SECRET}""#, "bad-duration"),
        (r#""shmSize": "${SECRET}""#, "bad-size"),
        (r#""replicas": "${SECRET}""#, "wrong-type"),
        (r#""tty": "x${SECRET}""#, "wrong-type"),
        (r#""expose": ["${SECRET}"]"#, "bad-port"),
        (r#""extraHosts": ["${SECRET}"]"#, "bad-form"),
        (r#""devices": ["/dev/${SECRET}"]"#, "older-form"),
        (r#""command": "run --password='${SECRET}'""#, "older-form"),
        (r#""command": "run '${SECRET}""#, "unclosed-quote"),
        (r#""dependsOn": ["${SECRET}"]"#, "unresolved-reference"),
        (r#""dependsOn": [{"@id": "${SECRET}", "condition": "started"}]"#, "unresolved-reference"),
        (r#""ports": [{"containerPort": "${SECRET}"}]"#, "wrong-type"),
        (r#""ports": [{"containerPort": 80, "protocol": "${SECRET}"}]"#, "unknown-value"),
        (r#""ports": [{"containerPort": 80, "hostIP": "${SECRET}"}]"#, "bad-address"),
        (r#""ports": [{"value": "${SECRET}"}]"#, "bad-port"),
        (r#""ports": [{"value": "80/${SECRET}"}]"#, "unknown-value"),
        (r#""volumeMounts": ["${SECRET}"]"#, "bad-form"),
        (r#""volumeMounts": ["a:/a:${SECRET}"]"#, "bad-form"),
        (r#""volumeMounts": ["/${SECRET}:/a"]"#, "older-form"),
        (r#""volumeMounts": ["a:${SECRET}"]"#, "bad-path"),
        (r#""volumeMounts": [{"type": "bind", "source": "${SECRET}", "target": "/a"}]"#, "relative-source"),
        (r#""volumeMounts": [{"source": "${SECRET}", "target": "/a"}]"#, "bad-name"),
        (r#""volumeMounts": [{"target": "${SECRET}"}]"#, "bad-path"),
        (r#""volumeMounts": [{"target": "/${SECRET}"}, {"target": "/${SECRET}"}]"#, "duplicate-name"),
        (r#""volumeMounts": [{"type": "tmpfs", "target": "/a", "tmpfsOptions": {"mode": "${SECRET}"}}]"#, "bad-number"),
        (r#""environment": [{"name": "=${SECRET}", "value": "1"}]"#, "bad-name"),
        (
            r#""environment": [{"name": "${SECRET}", "value": "1"}, {"name": "${SECRET}", "value": "2"}]"#,
            "duplicate-name",
        ),
        (r#""environment": [{"name": "A", "fromSecret": "${SECRET}"}]"#, "unresolved-reference"),
        (r#""healthCheck": {"type": "${SECRET}"}"#, "unknown-value"),
        (r#""resources": {"limits": {"memory": "${SECRET}"}}"#, "bad-size"),
    ];
    for (keys, code) in cases {
        let image = if keys.contains("image") { "" } else { r#""image": "i","# };
        let source = format!(
            r#"{{"@context": "https://schema.org", "@type": "datacenter:Stack", "@id": "stack:s", "name": "s",
            "secrets": ["one"], "hasPart": [
            {{"@type": "datacenter:Container", "@id": "container:c", "name": "c", {image} {keys}}}]}}"#
        );
        let codes = codes_of(&source);
        assert!(codes.iter().any(|told| told == code), "{keys}: {codes:?}");
    }
}

#[test]
fn no_field_of_a_stack_tells_the_value_of_a_variable() {
    let cases = [
        (r#""network": {"gateway": "${SECRET}"}"#, "bad-address"),
        (r#""network": {"subnet": "${SECRET}"}"#, "bad-address"),
        (r#""volumes": [{"name": "${SECRET}"}, {"name": "${SECRET}", "driver": "x"}]"#, "volume-conflict"),
        (r#""deployment": {"mode": "${SECRET}"}"#, "unknown-value"),
        (r#""deployment": {"hostConstraints": [{"containerName": "${SECRET}"}]}"#, "unresolved-reference"),
        (r#""deployment": {"hostConstraints": [{"containerName": "c", "targetHost": "${SECRET}"}]}"#, "host-conflict"),
    ];
    for (keys, code) in cases {
        let source = format!(
            r#"{{"@context": "https://graphium.io/context/v1.jsonld", "@type": "datacenter:Stack", "@id": "stack:s",
            "name": "s", {keys}, "hasPart": [{{"@type": "datacenter:Container", "@id": "container:c", "name": "c",
            "image": "i", "locatedInHost": "host:a"}}]}}"#
        );
        let codes = codes_of(&source);
        assert!(codes.iter().any(|told| told == code), "{keys}: {codes:?}");
    }
}

#[test]
fn a_text_with_a_variable_is_quoted_as_it_is_written() {
    let source = r#"{"@context": "https://graphium.io/context/v1.jsonld", "@type": "datacenter:Stack", "@id": "stack:s",
        "name": "s", "network": {"gateway": "${DB_PASSWORD}"}, "hasPart": [
        {"@type": "datacenter:Container", "@id": "container:c", "name": "c", "image": "i"}]}"#;
    let found = read(source, &ReadContext::new(&|_| Some(VALUE.to_owned()))).unwrap_err();
    let told: Vec<&str> = found.iter().map(|diagnostic| diagnostic.message.as_ref()).collect();
    assert_eq!(told, ["`${DB_PASSWORD}` is not an address"]);
}
