// The shipped samples mean what they say.
#include <gmock/gmock.h>

#include "reconciler/spec/load_spec.h"
#include "reconciler/spec/schema.h"
#include "reconciler/spec/schema_walker.h"
#include "reconciler/spec/to_spec.h"
#include "reconciler/spec/yaml_reader.h"
#include "tests/spec/files.h"

namespace pandora_ha {
namespace {

using testing::ElementsAre;

ClusterSpec Sample(const std::string& name) {
  const LoadedSpec loaded = LoadSpecFile(SourceFile(name));
  for (const Problem& problem : loaded.problems) ADD_FAILURE() << FormatProblem(problem);
  return loaded.spec.value_or(ClusterSpec());
}

DatabaseNodeSpec Node(const std::string& name, const std::string& address, ServerId id) {
  DatabaseNodeSpec node;
  node.name = NodeName(name);
  node.address = address;
  node.server_id = id;
  return node;
}

SecretSource File(const std::string& path) {
  return {.file = path, .environment = "", .secret_name = "", .secret_key = ""};
}

SecretSource Key(const std::string& key) {
  return {.file = "", .environment = "", .secret_name = "pandora-db", .secret_key = key};
}

std::vector<std::string> NotReconciledPaths(const ClusterSpec& spec) {
  std::vector<std::string> paths;
  for (const NotReconciledPart& part : NotReconciled(spec)) paths.push_back(part.path);
  return paths;
}

// Whatever the document leaves out is the default of spec.h.
TEST(GoodDocuments, Minimal) {
  ClusterSpec expected;
  expected.name = "pandora";
  expected.substrate = SubstrateKind::kHosts;
  expected.database.nodes = {Node("node1", "10.0.1.11", 1), Node("node2", "10.8.1.11", 2)};
  expected.database.credentials = {
      {"root", File("/etc/pandora-ha/admin.password")},
      {"pandora_replica", File("/etc/pandora-ha/replication.password")},
      {"pandora", File("/etc/pandora-ha/application.password")}};
  expected.endpoint.listen = Address{"127.0.0.1", 3306};
  ClusterSpec got = Sample("manifests/standalone/minimal.yaml");
  EXPECT_THAT(NotReconciledPaths(got), ElementsAre("spec.substrate"));
  got.not_reconciled.clear();
  EXPECT_TRUE(got == expected);
}

TEST(GoodDocuments, LocalDemoNeedsNothingThatIsMissing) {
  ClusterSpec expected;
  expected.name = "demo";
  expected.substrate = SubstrateKind::kLocal;
  expected.local = LocalSpec{"/var/tmp/pandora-ha-demo", Flavor::kMariaDb, ""};
  expected.database.port = 13306;
  expected.database.nodes = {Node("node1", "127.0.1.1", 1), Node("node2", "127.0.1.2", 2)};
  expected.database.nodes[0].label = "Madrid";
  expected.database.nodes[1].label = "Paris";
  expected.database.master_preference = {NodeName("node1"), NodeName("node2")};
  expected.database.credentials = {
      {"pandora_ha", File("/var/tmp/pandora-ha-demo/admin.password")},
      {"pandora_replica", File("/var/tmp/pandora-ha-demo/replication.password")},
      {"pandora", File("/var/tmp/pandora-ha-demo/application.password")}};
  expected.database.replication.durability = DurabilityMode::kSemiSync;
  expected.endpoint.listen = Address{"127.0.0.1", 13306};
  EXPECT_TRUE(Sample("manifests/standalone/local-demo.yaml") == expected);
}

TEST(GoodDocuments, FullDatabase) {
  const ClusterSpec got = Sample("manifests/standalone/full.yaml");
  DatabaseSpec expected;
  expected.nodes = {Node("node1", "10.0.1.11", 1), Node("node2", "10.8.1.11", 2)};
  expected.nodes[0].site = "madrid";
  expected.nodes[0].label = "Madrid";
  expected.nodes[0].ssh = SshSpec{"pandora-ha", 22};
  expected.nodes[1].site = "paris";
  expected.nodes[1].label = "Paris";
  expected.master_preference = {NodeName("node1"), NodeName("node2")};
  expected.credentials = {{"root", File("/etc/pandora-ha/admin.password")},
                          {"pandora_replica", File("/etc/pandora-ha/replication.password")},
                          {"pandora", {}}};
  expected.credentials.application.password_from.environment = "PANDORA_DB_PASSWORD";
  expected.tls = {true, "/etc/pandora-ha/ca.pem", "/etc/pandora-ha/client.pem",
                  "/etc/pandora-ha/client.key"};
  expected.restart.allow = Seconds(30);
  expected.configuration = {{"innodb_buffer_pool_size", "4096M"},
                            {"max_connections", "500"},
                            {"performance_schema", "ON"}};
  expected.virtual_ip = VirtualIpSpec{"10.0.1.100/24", "eth0"};
  EXPECT_TRUE(got.database == expected);
  EXPECT_EQ(got.failover_policy, FailoverPolicy::kAvailability);
}

TEST(GoodDocuments, FullRest) {
  const ClusterSpec got = Sample("manifests/standalone/full.yaml");
  EXPECT_EQ(got.lease, (LeaseSpec{Seconds(15), {{NodeName("pandora3"), "10.16.1.11", "lyon"}}}));
  EXPECT_EQ(got.data_in, (DataInSpec{"/var/spool/pandora/data_in",
                                     {"conf", "collections", "md5", "netflow", "discovery"},
                                     "/var/www/html/pandora_console/attachment",
                                     "",
                                     ""}));
  using C = ServerComponent;
  ASSERT_EQ(got.servers.size(), 2u);
  EXPECT_EQ(got.servers[0], (PandoraServerSpec{NodeName("pandora1"),
                                               "10.0.1.21",
                                               7,
                                               {C::kData, C::kNetwork, C::kWmi, C::kPlugin, C::kWeb,
                                                C::kPrediction, C::kDiscovery}}));
  EXPECT_EQ(got.console, (ConsoleSpec{2, {"10.0.1.31", "10.8.1.31"}}));
  EXPECT_THAT(
      NotReconciledPaths(got),
      ElementsAre("spec.substrate", "spec.database.nodes[0].ssh", "spec.database.configuration",
                  "spec.database.salvage", "spec.database.splitBrain", "spec.database.resync",
                  "spec.database.virtualIP", "spec.lease.witnesses", "spec.dataIn", "spec.servers",
                  "spec.console"));
}

TEST(GoodDocuments, SplitBrainIsReconciledOnLocalButForTheRewind) {
  const std::string demo = ReadAll(SourceFile("manifests/standalone/local-demo.yaml"));
  const auto told = [&](const std::string& split_brain) {
    std::string text = demo;
    text.replace(text.find("  database:\n"), 12,
                 "  database:\n    splitBrain: " + split_brain + "\n");
    const LoadedSpec loaded = LoadSpecText("x", text);
    EXPECT_TRUE(loaded.ok());
    std::vector<std::string> paths;
    for (const std::string& path : NotReconciledPaths(*loaded.spec))
      if (path.find("splitBrain") != std::string::npos) paths.push_back(path);
    return paths;
  };
  EXPECT_THAT(told("{autofix: true, rows: merge, rejoin: clone, maxRetries: 1}"), ElementsAre());
  EXPECT_THAT(told("{autofix: true, rejoin: rewind}"), ElementsAre());
}

TEST(GoodDocuments, Kubernetes) {
  const ClusterSpec got = Sample("manifests/kubernetes/pandora.yaml");
  EXPECT_EQ(got.name_space, "monitoring");
  EXPECT_EQ(got.database.replicas, 2);
  EXPECT_EQ(got.database.credentials.application, (Account{"pandora", Key("application")}));
  EXPECT_EQ(got.data_in->storage_size, "50Gi");
  EXPECT_EQ(got.kubernetes, (KubernetesSpec{{{"database", "mariadb:11.8"}},
                                            "",
                                            "100Gi",
                                            {{"cpu", "2"}, {"memory", "8Gi"}},
                                            {{"memory", "8Gi"}}}));
}

TEST(GoodDocuments, AsAnApiServerGivesThem) {
  const LoadedSpec loaded =
      LoadSpecText("x", R"({"apiVersion":"ha.pandorafms.io/v1alpha1","kind":"PandoraCluster",
    "metadata":{"name":"p","namespace":"n","generation":7,"uid":"u","resourceVersion":"12","creationTimestamp":"2026-11-22T10:00:00Z",
      "annotations":{"a/b":"{\"x\":1}"},"managedFields":[{"manager":"kubectl","fieldsV1":{"f:spec":{".":{}}}}]},
    "spec":{"substrate":"kubernetes","suspend":true,"database":{"replicas":3,"credentials":{
      "admin":{"user":"root","passwordFrom":{"secretKeyRef":{"name":"db","key":"a"}}},
      "replication":{"user":"r","passwordFrom":{"secretKeyRef":{"name":"db","key":"\u0072"}}}}}},
    "status":{"state":"Healthy","anything":["at",{"all":null}]}})");
  for (const Problem& problem : loaded.problems) ADD_FAILURE() << FormatProblem(problem);
  ASSERT_TRUE(loaded.ok());
  EXPECT_EQ(loaded.spec->generation, 7);
  EXPECT_EQ(loaded.spec->name_space, "n");
  EXPECT_TRUE(loaded.spec->suspend);
  EXPECT_EQ(loaded.spec->database.credentials.replication.password_from.secret_key, "r");
}

TEST(GoodDocuments, ForeignLettersLineEndsAndMarks) {
  std::string text = ReadAll(SourceFile("manifests/standalone/local-demo.yaml"));
  text.replace(text.find("Madrid"), 6, "\"Málaga – 東京\"");
  const ClusterSpec plain = *LoadSpecText("x", text).spec;
  EXPECT_EQ(plain.database.nodes[0].label, "Málaga – 東京");
  std::string windows = "\xEF\xBB\xBF";
  for (const char c : text) windows += c == '\n' ? std::string("\r\n") : std::string(1, c);
  const LoadedSpec loaded = LoadSpecText("x", windows);
  ASSERT_TRUE(loaded.ok()) << FormatProblem(loaded.problems[0]);
  EXPECT_TRUE(*loaded.spec == plain);
}

TEST(GoodDocuments, AnEmptySectionIsAWarning) {
  const std::string text =
      ReadAll(SourceFile("manifests/standalone/local-demo.yaml")) + "  lease:\n";
  const LoadedSpec loaded = LoadSpecText("x", text);
  ASSERT_TRUE(loaded.ok());
  ASSERT_EQ(loaded.warnings.size(), 1u);
  EXPECT_THAT(FormatProblem(loaded.warnings[0]),
              testing::HasSubstr("spec.lease: has no value and counts as not written"));
  EXPECT_EQ(loaded.spec->lease.duration, Seconds(15));
}

// The schema's defaults and those of spec.h are the same: filling them in changes nothing.
TEST(Defaults, AreThoseOfTheModel) {
  const ReadTree read = ReadYaml(
      "x",
      R"({spec: {substrate: hosts, lease: {}, endpoint: {}, dataIn: {}, local: {}, kubernetes: {},
    servers: [{name: a}], console: {}, database: {nodes: [{name: n, ssh: {}}], credentials: {}, replication: {}, detection: {},
    restart: {}, salvage: {}, splitBrain: {}, resync: {}}}})");
  ASSERT_TRUE(read.whole);
  TreeNode filled = read.root;
  WalkSchema("x", DocumentSchema(), &filled);
  ASSERT_NE(filled.Find("spec")->Find("database")->Find("port"), nullptr);
  EXPECT_TRUE(ToSpec(filled) == ToSpec(read.root));
}

}  // namespace
}  // namespace pandora_ha
