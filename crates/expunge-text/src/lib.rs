//! C interface around Hugging Face `tokenizers` and `minijinja`, used by src/text alone.
//!
//! Every function returns 0 and fills its outputs, or 1 and fills `error`. Strings are (pointer,
//! length) pairs, not NUL-terminated; buffers handed out are freed by `expunge_text_free_*`. Panics
//! stop at the boundary.

mod bounds;
mod jinja;
mod model;
mod scored;
mod template;
mod tokenizer;

use std::panic::{catch_unwind, AssertUnwindSafe};

/// Bytes handed to C++; freed by `expunge_text_free_bytes`.
#[repr(C)]
pub struct Bytes {
    pub data: *mut u8,
    pub len: usize,
}

impl Bytes {
    pub(crate) fn give(text: String) -> Self {
        Self::give_bytes(text.into_bytes())
    }

    pub(crate) fn give_bytes(bytes: Vec<u8>) -> Self {
        let boxed = bytes.into_boxed_slice();
        let len = boxed.len();
        Bytes { data: Box::into_raw(boxed) as *mut u8, len }
    }
}

/// # Safety
/// `bytes` must come from this library and be freed once.
#[no_mangle]
pub unsafe extern "C" fn expunge_text_free_bytes(bytes: Bytes) {
    if !bytes.data.is_null() {
        drop(Box::from_raw(std::ptr::slice_from_raw_parts_mut(bytes.data, bytes.len)));
    }
}

/// The UTF-8 text at (data, len), or an error that says where it stops being UTF-8.
pub(crate) unsafe fn text<'a>(data: *const u8, len: usize) -> Result<&'a str, String> {
    let bytes = if len == 0 { &[][..] } else { std::slice::from_raw_parts(data, len) };
    std::str::from_utf8(bytes).map_err(|e| format!("not valid UTF-8 at byte {}", e.valid_up_to()))
}

/// Runs `body`; on error or panic writes the message to `error` and returns 1.
pub(crate) unsafe fn guarded(error: *mut Bytes, body: impl FnOnce() -> Result<(), String>) -> i32 {
    let message = match catch_unwind(AssertUnwindSafe(body)) {
        Ok(Ok(())) => return 0,
        Ok(Err(message)) => message,
        Err(panic) => {
            let said = panic
                .downcast_ref::<String>()
                .cloned()
                .or_else(|| panic.downcast_ref::<&str>().map(|s| s.to_string()));
            format!("internal error: {}", said.unwrap_or_default())
        }
    };
    *error = Bytes::give(message);
    1
}
