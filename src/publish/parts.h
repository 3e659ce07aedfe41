// The steps of an export.
#pragma once

#include <set>
#include <string>

#include "publish/publish.h"
#include "publish/stage.h"

namespace expunge::publish {

using tensor::Tensor;

// Tensors that the journal's active edits change. kConflict unless every changed weight equals the
// file's plus the journal's edits bit for bit.
base::Result<std::set<std::string>> recorded_changes(const model::Model& model,
                                                     const journal::Journal& journal);

// The type an edited tensor gets in a GGUF, and the type of any tensor in a safetensors folder.
base::Result<tensor::DType> gguf_type(const tensor::TensorInfo& stored, const ExportOptions& o);
base::Result<tensor::DType> safetensors_type(const tensor::TensorInfo* stored,
                                             const ExportOptions& o);

base::Status write_gguf(const model::Model& model, const std::set<std::string>& edited,
                        const ExportOptions& options, const Stage& stage, const base::Job& job);
base::Status write_folder(const model::Model& model, const std::set<std::string>& edited,
                          const ExportOptions& options, const Stage& stage, const base::Job& job);

// The sum of the journal's active edits. kUnsupported names a tensor whose change has no factors or
// that no layer owns; kNotFound: there is no edit.
base::Result<edit::Edit> adapter_of(const model::Model& model, const journal::Journal& journal);
// Writes it, reads it again and fills in the figures.
base::Status write_adapter(const model::Model& model, const edit::Edit& edit,
                           const ExportOptions& options, const Stage& stage, Exported& result);

// Reads the stage again and fills in the figures.
base::Status recheck(const model::Model& model, const std::set<std::string>& edited,
                     const ExportOptions& options, const Stage& stage, Exported& result,
                     const base::Job& job);

}  // namespace expunge::publish
