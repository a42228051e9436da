#include "reconciler/spec/yaml_reader.h"

#include <yaml-cpp/eventhandler.h>
#include <yaml-cpp/exceptions.h>
#include <yaml-cpp/parser.h>

#include <array>
#include <charconv>
#include <exception>
#include <sstream>
#include <unordered_map>
#include <utility>

#include "reconciler/spec/scalars.h"
#include "reconciler/spec/text_checks.h"

namespace pandora_ha {
namespace {

// Thrown through the parser to stop it; its own recursion guard lies far beyond ours.
struct TooDeep {
  Position at;
};

// Builds the tree of one document from the parser's events.
class TreeBuilder : public YAML::EventHandler {
 public:
  TreeBuilder(std::string file, const LineIndex& lines) : file_(std::move(file)), lines_(lines) {}

  TreeNode TakeRoot() { return std::move(root_); }
  Position start() const { return start_; }
  std::vector<Problem> TakeProblems() { return std::move(problems_); }

  void OnDocumentStart(const YAML::Mark& mark) override { start_ = At(mark); }
  void OnDocumentEnd() override {}

  void OnNull(const YAML::Mark& mark, YAML::anchor_t) override {
    TreeNode node;
    node.at = InMappingValue() ? open_.back().key_at : At(mark);
    if (ExpectsKey()) return TakeKey("", At(mark), "an empty key");
    Finish(std::move(node));
  }

  void OnAlias(const YAML::Mark& mark, YAML::anchor_t) override {
    Report(At(mark),
           "aliases (*name) are not allowed; write the value out, or put text that begins with '*' "
           "in quotes");
    FinishUnusable(At(mark));
  }

  void OnAnchor(const YAML::Mark& mark, const std::string&) override {
    Report(At(mark),
           "anchors (&name) are not allowed; write the value out, or put text that begins with '&' "
           "in quotes");
  }

  void OnScalar(const YAML::Mark& mark, const std::string& tag, YAML::anchor_t,
                const std::string& value) override {
    const Position at = At(mark);
    const bool quoted = tag == "!";
    if (!quoted && tag != "?") {
      ReportTag(at);
      return FinishUnusable(at);
    }
    const PlainScalar plain = quoted ? PlainScalar{} : ResolvePlain(value);
    if (ExpectsKey()) {
      return TakeKey(value, at, plain.kind == NodeKind::kString ? "" : "a key that is not text");
    }
    TreeNode node;
    node.kind = plain.kind;
    node.at = at;
    node.text = value;
    if (node.kind == NodeKind::kUnusable) ReportAmbiguous(node, plain.remedy);
    if (node.kind == NodeKind::kInteger) {
      std::int64_t number = 0;
      const auto [end, error] = std::from_chars(value.data(), value.data() + value.size(), number);
      if (error == std::errc()) node.integer = number;
    }
    Finish(std::move(node));
  }

  void OnSequenceStart(const YAML::Mark& mark, const std::string& tag, YAML::anchor_t,
                       YAML::EmitterStyle::value) override {
    Open(NodeKind::kSequence, At(mark), tag);
  }
  void OnSequenceEnd() override { Close(); }

  void OnMapStart(const YAML::Mark& mark, const std::string& tag, YAML::anchor_t,
                  YAML::EmitterStyle::value) override {
    Open(NodeKind::kMapping, At(mark), tag);
  }
  void OnMapEnd() override { Close(); }

 private:
  // A collection whose end has not been seen. `key` is the member being read.
  struct OpenNode {
    TreeNode node;
    bool is_key = false;  // a collection that stands where a key should: read and dropped
    bool has_key = false;
    bool drop_value = false;
    std::string key;
    Position key_at;
    std::unordered_map<std::string, Position> seen;
  };

  Position At(const YAML::Mark& mark) const {
    return lines_.At(static_cast<std::size_t>(mark.pos < 0 ? 0 : mark.pos));
  }

  bool ExpectsKey() const {
    return !open_.empty() && open_.back().node.kind == NodeKind::kMapping && !open_.back().has_key;
  }
  bool InMappingValue() const {
    return !open_.empty() && open_.back().node.kind == NodeKind::kMapping && open_.back().has_key;
  }

  std::string Path() const {
    std::string path;
    for (const OpenNode& open : open_) {
      if (open.node.kind == NodeKind::kSequence) {
        path = ItemPath(path, open.node.items.size());
      } else if (open.has_key) {
        path = ChildPath(path, open.key);
      }
    }
    return path;
  }

  void Report(Position at, std::string message) {
    if (problems_.size() > kMaxProblems) return;
    problems_.push_back({file_, at, Path(), std::move(message), ""});
  }

  // The tag itself stays unsaid: a password that begins with '!' looks like one.
  void ReportTag(Position at) {
    Report(at,
           "tags (!name) are not allowed; remove it, or put text that begins with '!' in quotes");
  }

  void ReportAmbiguous(const TreeNode& node, const std::string& remedy) {
    if (IsSensitive(Path())) {
      Report(node.at,
             "this unquoted value means different things to different readers of YAML; put it in "
             "quotes");
    } else {
      Report(node.at, Shown(node.text) +
                          " without quotes means different things to different readers of YAML; " +
                          remedy);
    }
  }

  void TakeKey(const std::string& key, Position at, const std::string& fault) {
    OpenNode& open = open_.back();
    const auto [first, is_new] = open.seen.emplace(key, at);
    if (key == "<<") {
      Report(at, "merge keys (<<) are not allowed; write the fields out");
    } else if (!fault.empty()) {
      Report(at, fault + " is not allowed; put the key in quotes if it is meant");
    } else if (!is_new) {
      Report(at, "the key " + Shown(key) + " is already on line " +
                     std::to_string(first->second.line) + "; keep one of the two");
    }
    open.drop_value = key == "<<" || !fault.empty() || !is_new;
    open.key = key;
    open.key_at = at;
    open.has_key = true;
  }

  void Open(NodeKind kind, Position at, const std::string& tag) {
    if (tag != "?" && !tag.empty() && tag != "!") ReportTag(at);
    if (static_cast<int>(open_.size()) >= kMaxDocumentDepth) throw TooDeep{at};
    OpenNode open;
    open.node.kind = kind;
    open.node.at = at;
    open.is_key = ExpectsKey();
    open_.push_back(std::move(open));
  }

  void Close() {
    OpenNode open = std::move(open_.back());
    open_.pop_back();
    if (open.is_key) return TakeKey("", open.node.at, "a list or mapping as a key");
    Finish(std::move(open.node));
  }

  void FinishUnusable(Position at) {
    if (ExpectsKey()) return TakeKey("", at, "such a key");
    TreeNode node;
    node.kind = NodeKind::kUnusable;
    node.at = at;
    Finish(std::move(node));
  }

  void Finish(TreeNode node) {
    if (open_.empty()) {
      root_ = std::move(node);
      return;
    }
    OpenNode& parent = open_.back();
    if (parent.node.kind == NodeKind::kSequence) {
      parent.node.items.push_back(std::move(node));
      return;
    }
    if (!parent.drop_value) {
      parent.node.members.push_back({parent.key, parent.key_at, std::move(node)});
    }
    parent.has_key = false;
  }

  std::string file_;
  const LineIndex& lines_;
  Position start_;
  TreeNode root_;
  std::vector<OpenNode> open_;
  std::vector<Problem> problems_;
};

constexpr char kMoreText[] =
    "the document has ended and more text stands here; put each cluster in a file of its own, or "
    "check the indentation and "
    "the brackets";

// The parser's words → what a person can look for.
std::string ExplainSyntax(const std::string& message) {
  static constexpr std::array<std::pair<std::string_view, std::string_view>, 12> kWords = {{
      {"end of map not found",
       "the indentation does not fit the lines above; align the keys of one section"},
      {"end of sequence not found", "the indentation does not fit the list above; align its '-'"},
      {"end of map flow not found",
       "inside {…} a ',', a '}' or a closing quotation mark is missing, or text that holds ': ' is "
       "not in quotes"},
      {"end of sequence flow not found",
       "inside […] a ',', a ']' or a closing quotation mark is missing, or text that holds ': ' is "
       "not in quotes"},
      {"illegal map value", "a ':' where none is expected; put text that holds ': ' in quotes"},
      {"illegal block entry", "a '-' where no list is expected; check the indentation"},
      {"illegal map key", "a key where none is expected; check the indentation"},
      {"illegal EOF in scalar", "a quotation mark is never closed"},
      {"illegal document indicator in scalar",
       "a quotation mark is not closed before '---' or '...'"},
      {"illegal flow end", "a ']' or '}' that closes nothing"},
      {"unknown token", "a character that cannot begin a value; put the text in quotes"},
      {"the referenced anchor is not defined",
       "aliases (*name) are not allowed; put text that begins with '*' in quotes"},
  }};
  for (const auto& [theirs, ours] : kWords) {
    if (message.starts_with(theirs)) return std::string(ours);
  }
  return message;
}

Problem SyntaxProblem(const std::string& file, const LineIndex& lines,
                      const YAML::Exception& error) {
  const Position at = lines.At(static_cast<std::size_t>(error.mark.pos < 0 ? 0 : error.mark.pos));
  std::string message = "this is not valid YAML: " + ExplainSyntax(error.msg);
  if (const auto tab = lines.TabUpTo(at.line)) {
    message += "; line " + std::to_string(tab->line) + " is indented with a tab: use spaces";
  }
  return {file, at, "", message, ""};
}

void ReadDocuments(const std::string& file, const std::string& text, const LineIndex& lines,
                   ReadTree* result) {
  std::istringstream stream(text);
  YAML::Parser parser(stream);
  TreeBuilder builder(file, lines);
  const auto stopped = [&](Problem problem) {
    result->problems = builder.TakeProblems();
    result->problems.push_back(std::move(problem));
  };
  try {
    parser.HandleNextDocument(builder);
    TreeBuilder further(file, lines);
    Position last = builder.start();
    while (parser.HandleNextDocument(further)) {
      // At a token that begins nothing, the parser gives an empty document forever without moving.
      if (further.start() == last) {
        return stopped({file, last, "", kMoreText, ""});
      }
      last = further.start();
      const TreeNode other = further.TakeRoot();
      if (other.kind == NodeKind::kNull) continue;
      return stopped({file, other.at, "", kMoreText, ""});
    }
    result->root = builder.TakeRoot();
    result->problems = builder.TakeProblems();
    result->whole = true;
  } catch (const TooDeep& deep) {
    stopped({file, deep.at, "",
             "more than " + std::to_string(kMaxDocumentDepth) +
                 " levels of nesting; no document needs so many",
             ""});
  } catch (const YAML::Exception& error) {
    stopped(SyntaxProblem(file, lines, error));
  } catch (const std::exception& error) {
    stopped({file, {}, "", std::string("this is not valid YAML: ") + error.what(), ""});
  }
}

}  // namespace

ReadTree ReadYaml(const std::string& file, const std::string& text) {
  ReadTree result;
  if (auto problem = CheckText(file, text)) {
    result.problems.push_back(std::move(*problem));
    return result;
  }
  const std::string body = text.substr(ByteOrderMark(text));
  const LineIndex lines(body);
  ReadDocuments(file, body, lines, &result);
  return result;
}

}  // namespace pandora_ha
