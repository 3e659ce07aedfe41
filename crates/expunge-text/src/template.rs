//! Chat templates: minijinja made to behave as the Jinja2 of `transformers`.

use crate::{bounds, guarded, jinja, text, Bytes};
use minijinja::value::{Kwargs, Value};
use minijinja::{Environment, Error, ErrorKind};

/// Steps a template may take; an endless loop ends in an error.
const FUEL: u64 = 10_000_000;
/// Bytes of a template, and of what it may write.
const MAX_SOURCE: usize = 1 << 20;
const MAX_OUTPUT: usize = 1 << 26;

/// Takes what a template writes, up to MAX_OUTPUT.
struct Bounded(Vec<u8>);

impl std::io::Write for Bounded {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        if self.0.len() + bytes.len() > MAX_OUTPUT {
            return Err(std::io::Error::other(format!("it writes more than {MAX_OUTPUT} bytes")));
        }
        self.0.extend_from_slice(bytes);
        Ok(bytes.len())
    }
    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

fn raise_exception(message: String) -> Result<String, Error> {
    Err(Error::new(ErrorKind::InvalidOperation, message))
}

/// `transformers` redefines tojson as json.dumps: no HTML escapes, non-ASCII kept unless asked.
fn tojson(value: Value, kwargs: Kwargs) -> Result<String, Error> {
    let indent: Option<usize> = kwargs.get("indent")?;
    let ensure_ascii: Option<bool> = kwargs.get("ensure_ascii")?;
    let separators: Option<Vec<String>> = kwargs.get("separators")?;
    let sort_keys: Option<bool> = kwargs.get("sort_keys")?;
    kwargs.assert_all_used()?;
    let mut json: serde_json::Value = serde_json::to_value(&value)
        .map_err(|e| Error::new(ErrorKind::BadSerialization, e.to_string()))?;
    if sort_keys == Some(true) {
        json.sort_all_objects();
    }
    let (item, key) = match (&separators.as_deref(), indent) {
        (Some([item, key]), _) => (item.as_str(), key.as_str()),
        (Some(_), _) => {
            return Err(Error::new(ErrorKind::InvalidOperation, "tojson: separators are two"))
        }
        (None, Some(_)) => (",", ": "),
        (None, None) => (", ", ": "),
    };
    let style = JsonStyle { indent: indent.map(|n| n.min(64)), item, key };
    let mut out = String::new();
    style.write(&json, 0, &mut out);
    if ensure_ascii == Some(true) {
        out = ascii(&out);
    }
    Ok(out)
}

/// How json.dumps lays a value out.
struct JsonStyle<'a> {
    indent: Option<usize>,
    item: &'a str,
    key: &'a str,
}

impl JsonStyle<'_> {
    fn line(&self, depth: usize, out: &mut String) {
        if let Some(width) = self.indent {
            out.push('\n');
            out.extend(std::iter::repeat(' ').take(width * depth));
        }
    }

    fn write(&self, value: &serde_json::Value, depth: usize, out: &mut String) {
        let (open, close, count) = match value {
            serde_json::Value::Array(items) => ('[', ']', items.len()),
            serde_json::Value::Object(fields) => ('{', '}', fields.len()),
            other => return out.push_str(&other.to_string()),
        };
        out.push(open);
        let begin = |i: usize, out: &mut String| {
            if i > 0 {
                out.push_str(self.item);
            }
            self.line(depth + 1, out);
        };
        match value {
            serde_json::Value::Object(fields) => {
                for (i, (name, field)) in fields.iter().enumerate() {
                    begin(i, out);
                    out.push_str(&serde_json::Value::from(name.as_str()).to_string());
                    out.push_str(self.key);
                    self.write(field, depth + 1, out);
                }
            }
            _ => {
                for (i, item) in value.as_array().into_iter().flatten().enumerate() {
                    begin(i, out);
                    self.write(item, depth + 1, out);
                }
            }
        }
        if count > 0 {
            self.line(depth, out);
        }
        out.push(close);
    }
}

/// JSON text with everything beyond ASCII as \uXXXX.
fn ascii(json: &str) -> String {
    let mut out = String::with_capacity(json.len());
    for c in json.chars() {
        if c.is_ascii() {
            out.push(c);
            continue;
        }
        for unit in c.encode_utf16(&mut [0; 2]) {
            out.push_str(&format!("\\u{unit:04x}"));
        }
    }
    out
}

/// As transformers: `datetime.now().strftime(format)`, which is the C library's, in local time.
fn strftime_now(format: &str) -> Result<String, Error> {
    let invalid = |what: &str| Error::new(ErrorKind::InvalidOperation, format!("strftime: {what}"));
    if format.is_empty() {
        return Ok(String::new());
    }
    let c_format = std::ffi::CString::new(format).map_err(|_| invalid("a NUL in the format"))?;
    let mut out = vec![0u8; 64 + 32 * format.len()];
    let written = unsafe {
        let now = libc::time(std::ptr::null_mut());
        let mut parts: libc::tm = std::mem::zeroed();
        if libc::localtime_r(&now, &mut parts).is_null() {
            return Err(invalid("no local time"));
        }
        libc::strftime(out.as_mut_ptr().cast(), out.len(), c_format.as_ptr(), &parts)
    };
    if written == 0 {
        return Err(invalid("the date is too long"));
    }
    out.truncate(written);
    String::from_utf8(out).map_err(|_| invalid("the date is not UTF-8"))
}

/// The error with what caused it, which is where the bound on the output is named.
fn reason(error: Error) -> String {
    match std::error::Error::source(&error) {
        Some(source) if error.kind() == ErrorKind::WriteFailure => format!("{error:#}: {source}"),
        _ => format!("{error:#}"),
    }
}

/// # Safety
/// (data, len) must be readable; `out` and `error` writable.
#[no_mangle]
pub unsafe extern "C" fn expunge_template_compile(
    data: *const u8,
    len: usize,
    out: *mut *mut Environment<'static>,
    error: *mut Bytes,
) -> i32 {
    guarded(error, || {
        if len > MAX_SOURCE {
            return Err(format!("it has {len} bytes, at most {MAX_SOURCE} are read"));
        }
        let source = jinja::adapted(&text(data, len)?.replace("\r\n", "\n"));
        let mut env = Environment::new();
        env.set_trim_blocks(true);
        env.set_lstrip_blocks(true);
        env.set_fuel(Some(FUEL));
        bounds::add(&mut env);
        env.add_function("raise_exception", raise_exception);
        env.add_function("strftime_now", strftime_now);
        env.add_filter("tojson", tojson);
        env.add_template_owned("chat", source).map_err(|e| format!("{e:#}"))?;
        *out = Box::into_raw(Box::new(env));
        Ok(())
    })
}

/// # Safety
/// `env` must come from `expunge_template_compile` and be freed once.
#[no_mangle]
pub unsafe extern "C" fn expunge_template_free(env: *mut Environment<'static>) {
    if !env.is_null() {
        drop(Box::from_raw(env));
    }
}

/// Renders with the JSON object (data, len) as its variables.
///
/// # Safety
/// Pointers must be valid.
#[no_mangle]
pub unsafe extern "C" fn expunge_template_render(
    env: *const Environment<'static>,
    data: *const u8,
    len: usize,
    out: *mut Bytes,
    error: *mut Bytes,
) -> i32 {
    guarded(error, || {
        let context: serde_json::Value =
            serde_json::from_str(text(data, len)?).map_err(|e| e.to_string())?;
        let chat = (*env).get_template("chat").map_err(|e| format!("{e:#}"))?;
        let mut written = Bounded(Vec::new());
        chat.render_captured_to(&context, &mut written).map_err(reason)?;
        let rendered = String::from_utf8(written.0).map_err(|e| e.to_string())?;
        *out = Bytes::give(rendered);
        Ok(())
    })
}
