//! Tokenizers: from tokenizer.json text or scored pieces, encode with byte offsets, decode.

use crate::model::{AnyModel, Tokenizer};
use crate::scored::{Kind, ScoredBpe};
use crate::{guarded, text, Bytes};
use tokenizers::pre_tokenizers::metaspace::PrependScheme;
use tokenizers::{Model, OffsetType, PreTokenizer, PreTokenizerWrapper};

/// Ids above it are a broken file, not a vocabulary.
const MAX_ID: u32 = 1 << 24;

/// What C++ holds.
pub struct Handle {
    tokenizer: Tokenizer,
    /// For text that follows other text, where the tokenizer treats a text's beginning differently.
    continued: Option<PreTokenizerWrapper>,
}

impl Handle {
    fn new(mut tokenizer: Tokenizer) -> Result<Self, String> {
        // A tokenizer.json may carry the truncation and padding of its training run.
        tokenizer.with_truncation(None).map_err(|e| e.to_string())?;
        tokenizer.with_padding(None);
        // Special tokens inside a text are text; control tokens are placed by the caller.
        tokenizer.set_encode_special_tokens(true);
        let continued = match tokenizer.get_pre_tokenizer() {
            Some(PreTokenizerWrapper::Metaspace(space))
                if space.get_prepend_scheme() == PrependScheme::First =>
            {
                let mut space = space.clone();
                space.set_prepend_scheme(PrependScheme::Never);
                Some(PreTokenizerWrapper::Metaspace(space))
            }
            _ => None,
        };
        Ok(Handle { tokenizer, continued })
    }

    fn encode(&self, text: &str, begins: bool) -> tokenizers::Result<tokenizers::Encoding> {
        let (Some(splitter), false) = (&self.continued, begins) else {
            return self.tokenizer.encode(text, false);
        };
        let mut parts = self
            .tokenizer
            .get_added_vocabulary()
            .extract_and_normalize(self.tokenizer.get_normalizer(), text);
        splitter.pre_tokenize(&mut parts)?;
        parts.tokenize(|part| self.tokenizer.get_model().tokenize(part.get()))?;
        parts.into_encoding(None, 0, OffsetType::Byte)
    }
}

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
    out: *mut *mut Handle,
    error: *mut Bytes,
) -> i32 {
    guarded(error, || {
        let tokenizer = serde_json::from_str(text(data, len)?).map_err(|e| e.to_string())?;
        *out = Box::into_raw(Box::new(Handle::new(tokenizer)?));
        Ok(())
    })
}

/// A token of a vocabulary with scores. `kind`: 0 piece, 1 user defined, 2 special, 3 byte, 4 unused.
#[repr(C)]
pub struct Piece {
    data: *const u8,
    len: usize,
    score: f32,
    kind: u32,
}

/// A SentencePiece BPE out of its pieces, around the normalizer and decoder of the tokenizer.json
/// (data, len). `unknown` < 0: none.
///
/// # Safety
/// (data, len) and (pieces, count) must be readable; `out` and `error` writable.
#[no_mangle]
pub unsafe extern "C" fn expunge_tokenizer_from_pieces(
    data: *const u8,
    len: usize,
    pieces: *const Piece,
    count: usize,
    unknown: i64,
    out: *mut *mut Handle,
    error: *mut Bytes,
) -> i32 {
    guarded(error, || {
        let mut tokenizer: Tokenizer =
            serde_json::from_str(text(data, len)?).map_err(|e| e.to_string())?;
        let pieces = if count == 0 { &[][..] } else { std::slice::from_raw_parts(pieces, count) };
        let mut tokens = Vec::with_capacity(count);
        let mut kinds = Vec::with_capacity(count);
        for (id, piece) in pieces.iter().enumerate() {
            let token = text(piece.data, piece.len).map_err(|e| format!("token {id}: {e}"))?;
            tokens.push(token.to_string());
            kinds.push(match piece.kind {
                0 => Kind::Piece,
                1 => Kind::UserDefined,
                2 => Kind::Special,
                3 => Kind::Byte,
                _ => Kind::Unused,
            });
        }
        let scores = pieces.iter().map(|piece| piece.score).collect();
        let model = ScoredBpe::new(tokens, scores, kinds, u32::try_from(unknown).ok())?;
        let added = model.added_tokens();
        tokenizer.with_model(AnyModel::Scored(model));
        tokenizer.add_tokens(&added);
        *out = Box::into_raw(Box::new(Handle::new(tokenizer)?));
        Ok(())
    })
}

/// # Safety
/// `handle` must come from this library and be freed once.
#[no_mangle]
pub unsafe extern "C" fn expunge_tokenizer_free(handle: *mut Handle) {
    if !handle.is_null() {
        drop(Box::from_raw(handle));
    }
}

/// # Safety
/// Pointers must be valid; `handle` may be shared between threads.
#[no_mangle]
pub unsafe extern "C" fn expunge_tokenizer_encode(
    handle: *const Handle,
    data: *const u8,
    len: usize,
    begins: bool,
    out: *mut Encoding,
    error: *mut Bytes,
) -> i32 {
    guarded(error, || {
        let encoding =
            (*handle).encode(text(data, len)?, begins).map_err(|e| e.to_string())?;
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
    handle: *const Handle,
    ids: *const u32,
    len: usize,
    skip_special: bool,
    out: *mut Bytes,
    error: *mut Bytes,
) -> i32 {
    guarded(error, || {
        let ids = if len == 0 { &[][..] } else { std::slice::from_raw_parts(ids, len) };
        *out = Bytes::give((*handle).tokenizer.decode(ids, skip_special).map_err(|e| e.to_string())?);
        Ok(())
    })
}

/// The token's own spelling ("Ġthe"); an error if the id is unknown.
///
/// # Safety
/// Pointers must be valid.
#[no_mangle]
pub unsafe extern "C" fn expunge_tokenizer_token(
    handle: *const Handle,
    id: u32,
    out: *mut Bytes,
    error: *mut Bytes,
) -> i32 {
    guarded(error, || {
        let token = (*handle).tokenizer.id_to_token(id).ok_or_else(|| format!("no token has id {id}"))?;
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
    handle: *const Handle,
    data: *const u8,
    len: usize,
) -> i64 {
    match text(data, len) {
        Ok(token) => (*handle).tokenizer.token_to_id(token).map_or(-1, i64::from),
        Err(_) => -1,
    }
}

/// One byte an id: 1 where a token has it. Unlike `get_vocab_size` it knows of gaps.
///
/// # Safety
/// Pointers must be valid.
#[no_mangle]
pub unsafe extern "C" fn expunge_tokenizer_known(
    handle: *const Handle,
    out: *mut Bytes,
    error: *mut Bytes,
) -> i32 {
    guarded(error, || {
        let tokenizer = &(*handle).tokenizer;
        let mut ids: Vec<u32> = tokenizer.get_model().get_vocab().into_values().collect();
        ids.extend(tokenizer.get_added_tokens_decoder().keys());
        let top = ids.iter().copied().max().unwrap_or(0);
        if top > MAX_ID {
            return Err(format!("a token has the id {top}, at most {MAX_ID} is read"));
        }
        let mut known = vec![0; if ids.is_empty() { 0 } else { top as usize + 1 }];
        ids.into_iter().for_each(|id| known[id as usize] = 1);
        *out = Bytes::give_bytes(known);
        Ok(())
    })
}

/// The special tokens as a JSON list of [id, text, lstrip, rstrip].
///
/// # Safety
/// Pointers must be valid.
#[no_mangle]
pub unsafe extern "C" fn expunge_tokenizer_specials(
    handle: *const Handle,
    out: *mut Bytes,
    error: *mut Bytes,
) -> i32 {
    guarded(error, || {
        let mut specials: Vec<(u32, String, bool, bool)> = (*handle)
            .tokenizer
            .get_added_tokens_decoder()
            .into_iter()
            .filter(|(_, token)| token.special)
            .map(|(id, token)| (id, token.content, token.lstrip, token.rstrip))
            .collect();
        specials.sort();
        *out = Bytes::give(serde_json::to_string(&specials).map_err(|e| e.to_string())?);
        Ok(())
    })
}

/// The ids that the post-processor puts before and after a text, as two JSON lists.
///
/// # Safety
/// Pointers must be valid.
#[no_mangle]
pub unsafe extern "C" fn expunge_tokenizer_ends(
    handle: *const Handle,
    out: *mut Bytes,
    error: *mut Bytes,
) -> i32 {
    guarded(error, || {
        let tokenizer = &(*handle).tokenizer;
        let whole = tokenizer.encode("a", true).map_err(|e| e.to_string())?;
        let own = |i: &usize| whole.get_special_tokens_mask()[*i] == 0;
        let (first, end) = match (0..whole.len()).find(own) {
            Some(first) => (first, (0..whole.len()).rfind(own).map_or(first, |last| last + 1)),
            None => (0, whole.len()),
        };
        let ends = (&whole.get_ids()[..first], &whole.get_ids()[end..]);
        *out = Bytes::give(serde_json::to_string(&ends).map_err(|e| e.to_string())?);
        Ok(())
    })
}
