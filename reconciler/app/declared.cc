#include "reconciler/app/declared.h"

#include <algorithm>
#include <iterator>
#include <utility>

namespace pandora_ha {
namespace {

Problem At(const std::string& file, const Fields& fields, const std::string& path,
           std::string message) {
  const auto field = fields.find(path);
  return {file, field == fields.end() ? Position{} : field->second.at, path, std::move(message),
          ""};
}

// What only one cluster can have, and the field that says so.
std::map<std::string, std::string> PlacesOf(const ClusterSpec& spec) {
  std::map<std::string, std::string> places;
  if (spec.endpoint.listen)
    places["the writer endpoint " + ToString(*spec.endpoint.listen)] = "spec.endpoint.listen";
  if (spec.local) places["the directory " + spec.local->directory] = "spec.local.directory";
  if (spec.data_in) places["the directory " + spec.data_in->path] = "spec.dataIn.path";
  for (const DatabaseNodeSpec& node : spec.database.nodes) {
    places["the server " + ToString(Address{node.address, spec.database.port})] =
        "spec.database.nodes[" + node.name.text + "].address";
  }
  return places;
}

class Judging {
 public:
  explicit Judging(const std::map<std::string, InForce>& running) : running_(running) {
    for (const auto& [name, in_force] : running) {
      files_in_force_[in_force.file] = name;
      for (const auto& [place, field] : PlacesOf(in_force.spec)) owners_.emplace(place, name);
    }
  }

  Declared Run(const std::map<std::string, DocumentFile>& files) {
    for (const auto& [path, file] : files) Read(file);
    for (const std::string& name : names_) Choose(name, by_name_.at(name));
    KeepThoseRenamed();
    for (const auto& [file, problems] : out_.refused) {
      const auto name = files_in_force_.find(file);
      if (name != files_in_force_.end() && !out_.clusters.contains(name->second))
        out_.kept[name->second] = file;
    }
    return std::move(out_);
  }

 private:
  void Refuse(const std::string& file, std::vector<Problem> problems) {
    auto& all = out_.refused[file];
    std::move(problems.begin(), problems.end(), std::back_inserter(all));
  }

  void RefuseName(const Declared::Good& document, const std::string& was) {
    Refuse(document.file, {At(document.file, document.loaded.fields, "metadata.name",
                              "it was " + Shown(was) +
                                  " and may not be changed while that cluster runs; give the new "
                                  "cluster a file of its own")});
  }

  void Read(const DocumentFile& file) {
    if (!file.problem.empty()) return Refuse(file.path, {{file.path, {}, "", file.problem, ""}});
    LoadedSpec loaded = LoadSpecText(file.path, file.text);
    if (loaded.ok()) {
      // What may not be changed is known only now that the cluster is.
      const auto known = running_.find(loaded.spec->name);
      if (known != running_.end())
        loaded = LoadChangedSpec(file.path, file.text, known->second.spec);
      if (!loaded.ok()) changes_of_[known->first].push_back(file.path);
    }
    if (!loaded.ok()) return Refuse(file.path, std::move(loaded.problems));
    const std::string name = loaded.spec->name;
    if (!by_name_.contains(name)) names_.push_back(name);
    by_name_[name].push_back({file.path, std::move(loaded)});
  }

  void Choose(const std::string& name, std::vector<Declared::Good>& documents) {
    const auto known = running_.find(name);
    const auto is_in_force = [&](const Declared::Good& document) {
      return known != running_.end() && document.file == known->second.file;
    };
    const auto in_force = std::find_if(documents.begin(), documents.end(), is_in_force);
    if (documents.size() > 1) {
      for (const Declared::Good& document : documents) {
        if (in_force != documents.end() && document.file == in_force->file) continue;
        const std::string& other = in_force != documents.end()
                                       ? in_force->file
                                       : documents[document.file == documents[0].file ? 1 : 0].file;
        Refuse(document.file,
               {At(document.file, document.loaded.fields, "metadata.name",
                   "a cluster of this name is declared in " + other +
                       ", too; remove one of the two documents, or give this one another name")});
      }
      if (in_force == documents.end()) {
        if (known != running_.end()) out_.kept[name] = documents[0].file;
        return;
      }
    }
    Declared::Good& chosen = in_force != documents.end() ? *in_force : documents[0];
    // Said before the places that it then claims from the cluster that it was.
    const auto was = files_in_force_.find(chosen.file);
    if (was != files_in_force_.end() && was->second != name && !by_name_.contains(was->second))
      return RefuseName(chosen, was->second);
    if (!Claim(name, chosen)) return;
    out_.clusters[name] = std::move(chosen);
  }

  // False when another cluster has a place that this one declares.
  bool Claim(const std::string& name, const Declared::Good& document) {
    std::vector<Problem> problems;
    const auto places = PlacesOf(*document.loaded.spec);
    for (const auto& [place, field] : places) {
      const auto owner = owners_.find(place);
      if (owner == owners_.end() || owner->second == name) continue;
      problems.push_back(
          At(document.file, document.loaded.fields, field,
             place + " belongs to the cluster " + owner->second + "; choose another"));
    }
    if (!problems.empty()) {
      Refuse(document.file, std::move(problems));
      return false;
    }
    for (const auto& [place, field] : places) owners_[place] = name;
    return true;
  }

  // A file in force that declares another name now, while no other file declares the old one: that
  // is no removal and no addition, but a change that cannot be made.
  void KeepThoseRenamed() {
    for (const auto& [name, in_force] : running_) {
      if (out_.clusters.contains(name) || out_.kept.contains(name)) continue;
      for (auto it = out_.clusters.begin(); it != out_.clusters.end(); ++it) {
        if (it->second.file != in_force.file) continue;
        RefuseName(it->second, name);
        out_.clusters.erase(it);
        break;
      }
    }
    for (const auto& [name, files] : changes_of_) {
      if (!out_.clusters.contains(name)) out_.kept.emplace(name, files.front());
    }
  }

  const std::map<std::string, InForce>& running_;
  std::map<std::string, std::string> files_in_force_;  // file → cluster
  std::map<std::string, std::string> owners_;          // place → cluster
  std::map<std::string, std::vector<Declared::Good>> by_name_;
  std::vector<std::string> names_;  // of by_name_, in the order of the files
  std::map<std::string, std::vector<std::string>> changes_of_;  // refused changes of running ones
  Declared out_;
};

}  // namespace

Declared Judge(const std::map<std::string, DocumentFile>& files,
               const std::map<std::string, InForce>& running) {
  return Judging(running).Run(files);
}

}  // namespace pandora_ha
