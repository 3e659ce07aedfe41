// A model with its committed edits as a file that others can load, checked after writing.
//
// The source model is never written: the destination is refused if it is the source by device and
// inode. Only what the journal records can be shipped: the weights must be the file's plus the
// journal's active edits, bit for bit.
#pragma once

#include <map>
#include <optional>
#include <string>
#include <vector>

#include "base/job.h"
#include "base/json.h"
#include "journal/journal.h"
#include "model/model.h"
#include "tensor/quant.h"

namespace expunge::publish {

// kPeft: a LoRA adapter for the original weights, of the edits alone.
enum class Format { kGguf, kSafetensors, kPeft };
base::Result<Format> format_from_name(std::string_view name);  // "gguf", "safetensors", "peft"
std::string_view name(Format format);

enum class Overwrite { kNo, kYes };

struct ExportOptions {
  Format format = Format::kGguf;
  // GGUF: of the edited matrices; default their own type, Q8_0 where that cannot be written.
  // safetensors: of all tensors (F32, F16, BF16); default their own type, F32 if quantised.
  std::optional<tensor::DType> dtype;
  std::string path;  // a file (GGUF) or a folder (the others)
  Overwrite overwrite = Overwrite::kNo;
};

struct EditedTensor {
  std::string tensor;
  tensor::DType dtype;    // as written
  double relative_error;  // |written - edited| / |edited|
  double change_error;    // |written - edited| / |edited - base|: 1 = rounding drowns the edit
  double max_error;       // largest |written - edited|
};

struct Exported {
  std::string path;
  std::string weights_file;  // path, path/model.safetensors or path/adapter_model.safetensors
  std::string record;        // PATH.expunge.json, or PATH/expunge.json: provenance, no texts
  size_t size_bytes = 0;     // of weights_file
  std::string sha256;        // of weights_file
  size_t tensors = 0;
  size_t copied = 0;  // tensors whose stored bytes equal the source's
  std::vector<EditedTensor> edited;
  double seconds = 0;
};
base::Json to_json(const Exported& exported);

// Refuses the source model itself (by device and inode), an existing file without permission, and
// a folder that no export made. Exports call it themselves; long work calls it first.
base::Status check_destination(const model::Model& model, const ExportOptions& options);

// A trained model, whatever of it was changed, as a safetensors folder; `provenance` tells how it
// was made and goes into its expunge.json. Written and checked as by export_model.
base::Result<Exported> save_trained(const model::Model& model, const base::Json& provenance,
                                    const ExportOptions& options, const base::Job& job = {});

// The same of a training's low-rank edit alone, as an adapter for `model`.
base::Result<Exported> save_adapter(const model::Model& model, const edit::Edit& edit,
                                    const base::Json& provenance, const ExportOptions& options,
                                    const base::Job& job = {});

// GGUF from a GGUF source, the others from either; an adapter of edits of low rank only
// (kUnsupported names the first that is not). Atomic: a failure leaves nothing behind
// and an existing file untouched. Afterwards the result is read again: what was not edited must be
// equal (GGUF: byte for byte), what was edited within its type's rounding, an adapter bit for bit.
base::Result<Exported> export_model(const model::Model& model, const journal::Journal& journal,
                                    const ExportOptions& options, const base::Job& job = {});

// The low-rank matrices of an adapter's safetensors file in PEFT's names, as changes of scale one,
// by tensor. kCorrupt if one has no counterpart.
base::Result<std::map<std::string, edit::LowRank>> adapters_of(std::string_view image);
// The edit that an exported adapter makes. kCorrupt unless PEFT's scale of each module is one.
base::Result<edit::Edit> read_adapter(const std::string& folder);

}  // namespace expunge::publish
