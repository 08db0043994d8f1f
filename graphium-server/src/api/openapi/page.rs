//! The description for people: one page of plain HTML, made of the document alone.

use serde_json::Value;
use std::fmt::Write as _;

pub(super) const STYLE: &str = include_str!("style.css");

/// The page of a document.
pub(super) fn page(document: &Value) -> String {
    let mut html = String::with_capacity(256 * 1024);
    let info = &document["info"];
    let (title, version) = (text(&info["title"]), text(&info["version"]));
    // Writing to a string cannot fail.
    let _infallible = write!(
        html,
        "<!doctype html>\n<html lang=\"en\">\n<meta charset=\"utf-8\">\n<meta name=\"viewport\" content=\"width=device-width\">\n\
         <title>{title} {version}: the API</title>\n<link rel=\"stylesheet\" href=\"/docs/style.css\">\n\
         <header><h1>{title} {version}: the API</h1><p>{}</p>\
         <p>The same for programs: <a href=\"/api/v1/openapi.json\">openapi.json</a> (OpenAPI 3.1).</p></header>\n",
        prose(&info["description"])
    );
    let tags: Vec<&str> = list(&document["tags"]).filter_map(|tag| tag["name"].as_str()).collect();
    html.push_str("<nav aria-label=\"Contents\"><ul>");
    for tag in &tags {
        let _infallible = write!(html, "<li><a href=\"#{}\">{}</a></li>", anchor(tag), escape(tag));
    }
    html.push_str("<li><a href=\"#types\">Types</a></li></ul></nav>\n<main>\n");
    for tag in &tags {
        let _infallible = writeln!(html, "<h2 id=\"{}\">{}</h2>", anchor(tag), escape(tag));
        for (path, methods) in object(&document["paths"]) {
            for (method, operation) in object(methods) {
                if operation["tags"][0].as_str() == Some(tag) {
                    write_operation(&mut html, path, method, operation);
                }
            }
        }
    }
    html.push_str("<h2 id=\"types\">Types</h2>\n");
    for (name, schema) in object(&document["components"]["schemas"]) {
        let _infallible = write!(html, "<section id=\"type-{0}\"><h3>{0}</h3>", escape(name));
        write_schema(&mut html, schema);
        html.push_str("</section>\n");
    }
    html.push_str("</main>\n</html>\n");
    html
}

fn write_operation(html: &mut String, path: &str, method: &str, operation: &Value) {
    let _infallible = write!(
        html,
        "<section id=\"{}\"><h3><code>{} {}</code></h3><p>{}. <small>Needs: {}.</small></p>",
        text(&operation["operationId"]),
        method.to_uppercase(),
        escape(path),
        prose(&operation["summary"]),
        text(&operation["x-needs"])
    );
    if operation["description"].is_string() {
        let _infallible = write!(html, "<p>{}</p>", prose(&operation["description"]));
    }
    if operation["parameters"].is_array() {
        html.push_str("<table><tr><th>parameter<th>in<th>type<th>what</tr>");
        for parameter in list(&operation["parameters"]) {
            row(
                html,
                &[
                    format!("<code>{}</code>", text(&parameter["name"])),
                    text(&parameter["in"]),
                    kind(&parameter["schema"]),
                    prose(&parameter["description"]),
                ],
            );
        }
        html.push_str("</table>");
    }
    for (content, body) in object(&operation["requestBody"]["content"]) {
        let _infallible = write!(html, "<p>Takes <code>{}</code>: {}</p>", escape(content), kind(&body["schema"]));
    }
    html.push_str("<table><tr><th>status<th>answer<th>what</tr>");
    for (status, response) in object(&operation["responses"]) {
        let contents = object(&response["content"])
            .map(|(content, body)| format!("<code>{}</code>: {}", escape(content), kind(&body["schema"])))
            .collect::<Vec<_>>();
        row(html, &[escape(status), contents.join("<br>"), prose(&response["description"])]);
    }
    html.push_str("</table></section>\n");
}

fn write_schema(html: &mut String, schema: &Value) {
    if schema["description"].is_string() {
        let _infallible = write!(html, "<p>{}</p>", prose(&schema["description"]));
    }
    let variants: Vec<&Value> = ["oneOf", "anyOf"].iter().flat_map(|key| list(&schema[*key])).collect();
    if schema["properties"].is_object() {
        write_properties(html, schema);
    } else if variants.is_empty() {
        let _infallible = write!(html, "<p>{}</p>", kind(schema));
    }
    for variant in variants {
        html.push_str("<div class=\"variant\">");
        if variant["description"].is_string() {
            let _infallible = write!(html, "<p>{}</p>", prose(&variant["description"]));
        }
        if variant["properties"].is_object() {
            write_properties(html, variant);
        } else {
            let _infallible = write!(html, "<p>{}</p>", kind(variant));
        }
        html.push_str("</div>");
    }
}

fn write_properties(html: &mut String, schema: &Value) {
    let required: Vec<&str> = list(&schema["required"]).filter_map(Value::as_str).collect();
    html.push_str("<table><tr><th>field<th>type<th>what</tr>");
    for (name, property) in object(&schema["properties"]) {
        let star = if required.contains(&name) { " *" } else { "" };
        row(html, &[format!("<code>{}</code>{star}", escape(name)), kind(property), prose(&property["description"])]);
    }
    html.push_str("</table>");
}

fn row(html: &mut String, cells: &[String]) {
    html.push_str("<tr>");
    for cell in cells {
        let _infallible = write!(html, "<td>{cell}");
    }
    html.push_str("</tr>");
}

/// A type in a few words, with links.
fn kind(schema: &Value) -> String {
    if let Some(name) = schema["$ref"].as_str().and_then(|reference| reference.rsplit('/').next()) {
        return format!("<a href=\"#type-{0}\">{0}</a>", escape(name));
    }
    if let Some(value) = schema.get("const") {
        return format!("<code>{}</code>", escape(&value.to_string()));
    }
    if schema["enum"].is_array() {
        let words: Vec<String> = list(&schema["enum"])
            .map(|word| format!("<code>{}</code>", escape(word.as_str().unwrap_or("null"))))
            .collect();
        return words.join(", ");
    }
    for key in ["anyOf", "oneOf"] {
        if schema[key].is_array() {
            return list(&schema[key]).map(kind).collect::<Vec<_>>().join(" or ");
        }
    }
    let name = |word: &str| match word {
        "array" => format!("list of {}", kind(&schema["items"])),
        "object" if schema["additionalProperties"].is_object() => {
            format!("map to {}", kind(&schema["additionalProperties"]))
        }
        other => escape(other),
    };
    match &schema["type"] {
        Value::String(word) => match schema["format"].as_str() {
            Some(format) => format!("{} ({})", name(word), escape(format)),
            None => name(word),
        },
        Value::Array(words) => words.iter().filter_map(Value::as_str).map(name).collect::<Vec<_>>().join(" or "),
        _ => "any JSON".to_owned(),
    }
}

fn object(value: &Value) -> impl Iterator<Item = (&str, &Value)> {
    value.as_object().into_iter().flatten().map(|(name, value)| (name.as_str(), value))
}

fn list(value: &Value) -> impl Iterator<Item = &Value> {
    value.as_array().into_iter().flatten()
}

fn text(value: &Value) -> String {
    escape(value.as_str().unwrap_or_default())
}

/// A text in which backticks mark code.
fn prose(value: &Value) -> String {
    let mut html = String::new();
    for (number, part) in value.as_str().unwrap_or_default().split('`').enumerate() {
        match number % 2 {
            0 => html.push_str(&escape(part)),
            _ => html.extend(["<code>", &escape(part), "</code>"]),
        }
    }
    html
}

fn anchor(text: &str) -> String {
    text.chars().map(|letter| if letter.is_ascii_alphanumeric() { letter.to_ascii_lowercase() } else { '-' }).collect()
}

fn escape(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for letter in text.chars() {
        match letter {
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '"' => escaped.push_str("&quot;"),
            '\'' => escaped.push_str("&#39;"),
            other => escaped.push(other),
        }
    }
    escaped
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_of_a_document_becomes_markup_but_code() {
        let value = Value::from("<b> & `<i>`");
        assert_eq!(prose(&value), "&lt;b&gt; &amp; <code>&lt;i&gt;</code>");
        assert_eq!(kind(&serde_json::json!({"type": ["string", "null"], "format": "date-time"})), "string or null");
        let map = serde_json::json!({"type": "object", "additionalProperties": {"$ref": "#/components/schemas/Port"}});
        assert_eq!(kind(&map), "map to <a href=\"#type-Port\">Port</a>");
    }
}
