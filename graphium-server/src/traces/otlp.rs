//! Spans as OTLP's JSON (OpenTelemetry Protocol 1.x, "JSON Protobuf Encoding").

use opentelemetry::{
    Array, KeyValue, SpanId, Value,
    trace::{Link, SpanKind, Status},
};
use opentelemetry_sdk::{Resource, trace::SpanData};
use serde_json::{Value as Json, json};
use std::time::{SystemTime, UNIX_EPOCH};

/// Whose spans they are.
pub(super) fn resource(resource: &Resource) -> Json {
    let attributes: Vec<Json> = resource.iter().map(|(key, value)| pair(key.as_str(), value)).collect();
    json!({"attributes": attributes})
}

/// The body of a request that exports spans.
pub(super) fn request(resource: &Json, spans: &[SpanData]) -> Vec<u8> {
    // In the order in which they came: there are few scopes, in the program one.
    let mut scopes: Vec<(&opentelemetry::InstrumentationScope, Vec<Json>)> = Vec::new();
    for span in spans {
        let scope = &span.instrumentation_scope;
        match scopes.iter_mut().find(|(known, _)| *known == scope) {
            Some((_, spans)) => spans.push(self::span(span)),
            None => scopes.push((scope, vec![self::span(span)])),
        }
    }
    let scopes = scopes.into_iter().map(|(scope, spans)| {
        let version = scope.version().unwrap_or_default();
        json!({"scope": {"name": scope.name(), "version": version}, "spans": spans})
    });
    let scopes: Vec<Json> = scopes.collect();
    let body = json!({"resourceSpans": [{"resource": resource, "scopeSpans": scopes}]});
    body.to_string().into_bytes()
}

fn span(span: &SpanData) -> Json {
    let mut json = json!({
        "traceId": span.span_context.trace_id().to_string(),
        "spanId": span.span_context.span_id().to_string(),
        "flags": u32::from(span.span_context.trace_flags().to_u8()),
        "name": span.name,
        "kind": match span.span_kind {
            SpanKind::Internal => 1,
            SpanKind::Server => 2,
            SpanKind::Client => 3,
            SpanKind::Producer => 4,
            SpanKind::Consumer => 5,
        },
        "startTimeUnixNano": nanos(span.start_time),
        "endTimeUnixNano": nanos(span.end_time),
        "attributes": attributes(&span.attributes),
        "droppedAttributesCount": span.dropped_attributes_count,
        "links": span.links.iter().map(link).collect::<Vec<_>>(),
        "droppedLinksCount": span.links.dropped_count,
        "events": span.events.iter().map(|event| json!({
            "timeUnixNano": nanos(event.timestamp),
            "name": event.name,
            "attributes": attributes(&event.attributes),
            "droppedAttributesCount": event.dropped_attributes_count,
        })).collect::<Vec<_>>(),
        "droppedEventsCount": span.events.dropped_count,
        "status": match &span.status {
            Status::Unset => json!({}),
            Status::Ok => json!({"code": 1}),
            Status::Error { description } => json!({"code": 2, "message": description}),
        },
    });
    if span.parent_span_id != SpanId::INVALID {
        json["parentSpanId"] = span.parent_span_id.to_string().into();
    }
    json
}

fn link(link: &Link) -> Json {
    json!({
        "traceId": link.span_context.trace_id().to_string(),
        "spanId": link.span_context.span_id().to_string(),
        "attributes": attributes(&link.attributes),
        "droppedAttributesCount": link.dropped_attributes_count,
    })
}

fn attributes(attributes: &[KeyValue]) -> Vec<Json> {
    attributes.iter().map(|attribute| pair(attribute.key.as_str(), &attribute.value)).collect()
}

fn pair(key: &str, value: &Value) -> Json {
    json!({"key": key, "value": any(value)})
}

fn any(value: &Value) -> Json {
    match value {
        Value::Bool(value) => json!({"boolValue": value}),
        Value::I64(value) => integer(*value),
        Value::F64(value) => double(*value),
        Value::Array(Array::Bool(values)) => array(values.iter().map(|value| json!({"boolValue": value}))),
        Value::Array(Array::I64(values)) => array(values.iter().map(|value| integer(*value))),
        Value::Array(Array::F64(values)) => array(values.iter().map(|value| double(*value))),
        Value::Array(Array::String(values)) => array(values.iter().map(|value| json!({"stringValue": value.as_str()}))),
        other => json!({"stringValue": other.as_str()}),
    }
}

fn array(values: impl Iterator<Item = Json>) -> Json {
    json!({"arrayValue": {"values": values.collect::<Vec<_>>()}})
}

/// 64 bits are text in this encoding.
fn integer(value: i64) -> Json {
    json!({"intValue": value.to_string()})
}

/// What JSON has no number for is a word.
fn double(value: f64) -> Json {
    if value.is_finite() {
        return json!({"doubleValue": value});
    }
    let word = if value.is_nan() {
        "NaN"
    } else if value > 0.0 {
        "Infinity"
    } else {
        "-Infinity"
    };
    json!({"doubleValue": word})
}

fn nanos(time: SystemTime) -> String {
    time.duration_since(UNIX_EPOCH).unwrap_or_default().as_nanos().to_string()
}
