//! Tokenizers: from tokenizer.json text, encode with byte offsets, decode.

use crate::{guarded, text, Bytes};
use tokenizers::{Model, Tokenizer};

/// Ids and byte offsets [begin, end) of a text; freed by `expunge_text_free_encoding`.
#[repr(C)]
pub struct Encoding {
    pub ids: *mut u32,
    pub begins: *mut usize,
    pub ends: *mut usize,
    pub len: usize,
}

fn leak<T>(values: Vec<T>) -> *mut T {
    Box::into_raw(values.into_boxed_slice()) as *mut T
}

unsafe fn reclaim<T>(data: *mut T, len: usize) {
    drop(Box::from_raw(std::ptr::slice_from_raw_parts_mut(data, len)));
}

/// # Safety
/// `encoding` must come from `expunge_tokenizer_encode` and be freed once.
#[no_mangle]
pub unsafe extern "C" fn expunge_text_free_encoding(encoding: Encoding) {
    reclaim(encoding.ids, encoding.len);
    reclaim(encoding.begins, encoding.len);
    reclaim(encoding.ends, encoding.len);
}

/// # Safety
/// (data, len) must be readable; `out` and `error` writable.
#[no_mangle]
pub unsafe extern "C" fn expunge_tokenizer_from_json(
    data: *const u8,
    len: usize,
    out: *mut *mut Tokenizer,
    error: *mut Bytes,
) -> i32 {
    guarded(error, || {
        let mut tokenizer: Tokenizer = text(data, len)?.parse().map_err(|e| format!("{e}"))?;
        // A tokenizer.json may carry the truncation and padding of its training run.
        tokenizer.with_truncation(None).map_err(|e| e.to_string())?;
        tokenizer.with_padding(None);
        // Special tokens inside a text are text; control tokens are placed by the caller.
        tokenizer.set_encode_special_tokens(true);
        *out = Box::into_raw(Box::new(tokenizer));
        Ok(())
    })
}

/// # Safety
/// `tokenizer` must come from this library and be freed once.
#[no_mangle]
pub unsafe extern "C" fn expunge_tokenizer_free(tokenizer: *mut Tokenizer) {
    if !tokenizer.is_null() {
        drop(Box::from_raw(tokenizer));
    }
}

/// # Safety
/// Pointers must be valid; `tokenizer` may be shared between threads.
#[no_mangle]
pub unsafe extern "C" fn expunge_tokenizer_encode(
    tokenizer: *const Tokenizer,
    data: *const u8,
    len: usize,
    out: *mut Encoding,
    error: *mut Bytes,
) -> i32 {
    guarded(error, || {
        let encoding =
            (*tokenizer).encode(text(data, len)?, false).map_err(|e| e.to_string())?;
        let (begins, ends) = encoding.get_offsets().iter().copied().unzip();
        *out = Encoding {
            len: encoding.len(),
            ids: leak(encoding.get_ids().to_vec()),
            begins: leak(begins),
            ends: leak(ends),
        };
        Ok(())
    })
}

/// # Safety
/// Pointers must be valid.
#[no_mangle]
pub unsafe extern "C" fn expunge_tokenizer_decode(
    tokenizer: *const Tokenizer,
    ids: *const u32,
    len: usize,
    skip_special: bool,
    out: *mut Bytes,
    error: *mut Bytes,
) -> i32 {
    guarded(error, || {
        let ids = if len == 0 { &[][..] } else { std::slice::from_raw_parts(ids, len) };
        *out = Bytes::give((*tokenizer).decode(ids, skip_special).map_err(|e| e.to_string())?);
        Ok(())
    })
}

/// The token's own spelling ("Ġthe"); an error if the id is unknown.
///
/// # Safety
/// Pointers must be valid.
#[no_mangle]
pub unsafe extern "C" fn expunge_tokenizer_token(
    tokenizer: *const Tokenizer,
    id: u32,
    out: *mut Bytes,
    error: *mut Bytes,
) -> i32 {
    guarded(error, || {
        let token = (*tokenizer).id_to_token(id).ok_or_else(|| format!("no token has id {id}"))?;
        *out = Bytes::give(token);
        Ok(())
    })
}

/// The id of a token's spelling, or -1.
///
/// # Safety
/// Pointers must be valid.
#[no_mangle]
pub unsafe extern "C" fn expunge_tokenizer_id(
    tokenizer: *const Tokenizer,
    data: *const u8,
    len: usize,
) -> i64 {
    match text(data, len) {
        Ok(token) => (*tokenizer).token_to_id(token).map_or(-1, i64::from),
        Err(_) => -1,
    }
}

/// Counted, since `get_vocab_size(true)` copies the whole vocabulary.
///
/// # Safety
/// `tokenizer` must be valid.
#[no_mangle]
pub unsafe extern "C" fn expunge_tokenizer_vocab_size(tokenizer: *const Tokenizer) -> usize {
    let model = (*tokenizer).get_model();
    let added = (*tokenizer).get_added_tokens_decoder();
    let beyond = added.keys().filter(|id| model.id_to_token(**id).is_none()).count();
    model.get_vocab_size() + beyond
}

/// The special tokens as a JSON list of [id, text].
///
/// # Safety
/// Pointers must be valid.
#[no_mangle]
pub unsafe extern "C" fn expunge_tokenizer_specials(
    tokenizer: *const Tokenizer,
    out: *mut Bytes,
    error: *mut Bytes,
) -> i32 {
    guarded(error, || {
        let mut specials: Vec<(u32, String)> = (*tokenizer)
            .get_added_tokens_decoder()
            .into_iter()
            .filter(|(_, token)| token.special)
            .map(|(id, token)| (id, token.content))
            .collect();
        specials.sort();
        *out = Bytes::give(serde_json::to_string(&specials).map_err(|e| e.to_string())?);
        Ok(())
    })
}
