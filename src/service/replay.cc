#include "service/replay.h"

namespace expunge::service {

base::Result<Replayed> replay(const Place& place, const base::Job& job) {
  const base::Stopwatch clock;
  TRY(job.check());
  const auto session = TRY(open_session(place, journal::Mode::kReadOrEmpty));
  TRY(session->replay());  // checks every hash and link of the journal too
  Replayed replayed;
  replayed.weights_hash = session->present().model.weights_hash();
  replayed.active = TRY(session->active()).size();
  replayed.is_base = replayed.weights_hash == session->base_hash();
  replayed.chain = TRY(session->with_journal([](journal::Journal& j) { return j.chain(); }));
  replayed.seconds = clock.seconds();
  return replayed;
}

}  // namespace expunge::service
