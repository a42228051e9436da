// The data of a node's server on the disk: `data` is what it serves, `data.new` is being made,
// `data.old` is what it served before the last copy, `data.aside-ID` was set aside before copy ID.
//
// Belongs to a supervisor's single thread. Only renames and looks happen on it; what is deleted
// goes on a thread of its own, since gigabytes take seconds in which nobody could be fenced.
#pragma once

#include <string>

#include "reconciler/base/clock.h"
#include "reconciler/base/result.h"

namespace pandora_ha {

class DataDirectory {
 public:
  // `directory` is the node's. `clock` must outlive the object.
  DataDirectory(std::string directory, const Clock& clock)
      : directory_(std::move(directory)), clock_(clock) {}

  bool exists() const;
  bool old_exists() const;
  // The id of the copy that the data is; empty: it is none, or not whole.
  std::string copy_id() const;

  // Goes on where a crash between two renames left it: a whole copy is taken, without one the data
  // of before comes back.
  Status Recover();
  // An empty `data.new`.
  Status BeginNew();
  // `data.new` becomes the data. What was there becomes `data.old`, or goes where `data.old` is
  // kept already: what replaces a copy that never caught up replaces a copy. With `set_aside` it
  // stays under a name of its own. kIo: `copy_id` is not empty and the copy is not marked as whole.
  // On an error the data is what it was.
  Status PutInPlace(const std::string& copy_id, bool set_aside);
  Status DiscardNew();
  Status DiscardOld();
  // Deletes what a predecessor had begun to delete.
  void DeleteLeftovers();

 private:
  Result<std::string> Rename(const std::string& name);
  Status Discard(const std::string& name);

  const std::string directory_;
  const Clock& clock_;
};

// Names within a directory last from here on.
void SyncDirectory(const std::string& directory);

}  // namespace pandora_ha
