// The handlers of /v1/expunge: plans, requests, the ledger and what is known of the model.
#pragma once

#include "server/app.h"

namespace expunge::server {

void make_plans(App& app, Call call);
void carry_request(App& app, Call call);
void decline_proposal(App& app, Call call);
void list_entries(App& app, Call call);
void show_entry(App& app, Call call);
void undo_entry(App& app, Call call);
void seal_entry(App& app, Call call);
void verify_entry(App& app, Call call);
void export_model(App& app, Call call);
void listen_to_events(App& app, Call call);
void show_model(App& app, Call call);
void show_methods(App& app, Call call);
void show_health(App& app, Call call);
void show_metrics(App& app, Call call);

base::Json proposal_json(const std::string& id, const service::Proposal& proposal);
base::Json to_json(const service::CarriedOut& done);
// service::carry_out, counted, and those who listen are told.
base::Result<service::CarriedOut> carry(App& app, const service::Proposal& proposal,
                                        journal::Seal seal, const base::Job& job);

}  // namespace expunge::server
