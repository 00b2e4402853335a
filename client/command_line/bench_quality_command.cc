#include <algorithm>
#include <fstream>
#include <memory>
#include <ostream>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "client/client.h"
#include "client/command_line/cache_flags.h"
#include "client/command_line/command.h"
#include "client/command_line/connection_flags.h"
#include "client/command_line/enum_names.h"
#include "client/command_line/error_line.h"
#include "client/command_line/field_flag.h"
#include "client/command_line/progress_line.h"
#include "client/command_line/quality_report.h"
#include "client/quality/quality_run.h"

namespace windowkv::client {
namespace {

struct QualityFlags {
  ConnectionFlags connection;
  QualityPlan plan;
  // Holds WINDOWKV's own options in its cache field.
  v1::GenerateRequest windowkv;
  std::vector<std::string> policies = {"windowkv", "streaming_llm", "snapkv", "pyramidkv", "h2o"};
  std::vector<std::string> tasks;
  std::vector<std::string> families;
  int tokens = 7800;
  int max_tokens = 64;
  uint64_t seed = 1;
  bool json = false;
  std::string svg;
};

void AddPlanFlags(CLI::App* command, QualityFlags* flags) {
  command
      ->add_option("--policies", flags->policies,
                   "Policies to compare; full always runs once per document, as reference")
      ->type_name("NAME,NAME,...")
      ->delimiter(',')
      ->transform(CLI::IsMember({"windowkv", "streaming_llm", "snapkv", "pyramidkv", "h2o"},
                                CLI::ignore_case))
      ->capture_default_str();
  flags->plan.budgets = {64, 128, 256, 512, 1024, 2048};
  command
      ->add_option("--budgets", flags->plan.budgets,
                   "Prompt tokens kept per layer, mean over layers; each at least 1")
      ->type_name("TOKENS,TOKENS,...")
      ->delimiter(',')
      ->check(CLI::Range(1, 1 << 20))
      ->capture_default_str();
  flags->plan.concurrency = 4;
  command
      ->add_option("--concurrency", flags->plan.concurrency,
                   "Requests in flight, [1, 1024]; times are cleanest with 1")
      ->type_name("INT")
      ->check(CLI::Range(1, 1024))
      ->capture_default_str();
  command
      ->add_option("--tasks", flags->tasks,
                   "Tasks to compare: WINDOWKV runs once naming each, and takes the strategy that "
                   "the task mapping has for it; default: it names none, so that the router "
                   "classifies or the backend takes its default")
      ->type_name("NAME,NAME,...")
      ->delimiter(',')
      ->transform(CLI::IsMember(EnumNames(*v1::Task_descriptor()), CLI::ignore_case));
  command->add_option("--max-tokens", flags->max_tokens, "Longest answer, in tokens; [1, 4096]")
      ->type_name("TOKENS")
      ->check(CLI::Range(1, 4096))
      ->capture_default_str();
}

void AddDocumentFlags(CLI::App* command, QualityFlags* flags) {
  flags->plan.documents = 20;
  command
      ->add_option("--documents", flags->plan.documents,
                   "Documents with one question each, split over the families; [1, 100000]")
      ->type_name("INT")
      ->check(CLI::Range(1, 100000))
      ->capture_default_str();
  command
      ->add_option("--tokens", flags->tokens,
                   "Length of document and question, to about 5 %; at least 128, with an "
                   "answer within the model's context")
      ->type_name("TOKENS")
      ->check(CLI::Range(DocumentGenerator::kMinTokens, 1 << 20))
      ->capture_default_str();
  CheckNumber<uint64_t>(
      command->add_option("--seed", flags->seed, "The same seed gives the same documents")
          ->type_name("UINT64")
          ->capture_default_str());
  std::vector<std::string> names;
  for (const Family family : AllFamilies()) names.push_back(FamilyName(family));
  for (const Family family : QuestionFamilies()) flags->families.push_back(FamilyName(family));
  command
      ->add_option("--families", flags->families,
                   "What documents ask for. labels (of a new example, by the rule that examples "
                   "show) and headings (all, in order) gather over the whole text: the demo "
                   "model has not learnt them, so they run only when named")
      ->type_name("NAME,NAME,...")
      ->delimiter(',')
      ->transform(CLI::IsMember(names, CLI::ignore_case))
      ->capture_default_str();
}

void AddOutputFlags(CLI::App* command, QualityFlags* flags) {
  command->add_flag("--json", flags->json, "Print one JSON object instead of the tables");
  command
      ->add_option("--svg", flags->svg,
                   "Also write a plot of exact match over the kept share of the cache")
      ->type_name("FILE");
}

// Keeps the first of equals: a policy or budget named twice would count twice.
template <typename T>
void DropRepeated(std::vector<T>* values) {
  std::vector<T> once;
  for (const T& value : *values) {
    if (std::find(once.begin(), once.end(), value) == once.end()) once.push_back(value);
  }
  *values = std::move(once);
}

QualityPlan PlanOf(const QualityFlags& flags) {
  QualityPlan plan = flags.plan;
  for (const std::string& name : flags.policies) {
    plan.policies.push_back(
        static_cast<v1::CachePolicy>(EnumValue(*v1::CachePolicy_descriptor(), name).value_or(0)));
  }
  for (const std::string& name : flags.tasks) {
    plan.tasks.push_back(
        static_cast<v1::Task>(EnumValue(*v1::Task_descriptor(), name).value_or(0)));
  }
  DropRepeated(&plan.policies);
  DropRepeated(&plan.tasks);
  DropRepeated(&plan.budgets);
  plan.windowkv = flags.windowkv.cache();
  plan.request.mutable_sampling()->set_temperature(0);
  plan.request.mutable_sampling()->set_max_tokens(flags.max_tokens);
  return plan;
}

absl::Status CheckContext(const QualityFlags& flags, const v1::ModelInfo& model) {
  if (flags.tokens + flags.max_tokens <= model.context_length()) return absl::OkStatus();
  return absl::InvalidArgumentError(absl::StrCat(
      "--tokens ", flags.tokens, " and --max-tokens ", flags.max_tokens,
      " do not fit the context of ", model.name(), ", ", model.context_length(), " tokens"));
}

// Fails before the measurement rather than after it. Leaves what the file holds.
absl::Status CheckWritable(const std::string& path) {
  if (path.empty() || std::ofstream(path, std::ios::app)) return absl::OkStatus();
  return absl::InvalidArgumentError(absl::StrCat("cannot write --svg ", path));
}

absl::StatusOr<DocumentGenerator> MakeGenerator(const QualityFlags& flags, Client& client,
                                                const CallOptions& options) {
  const absl::StatusOr<TokenRates> rates = MeasureTokenRates(client, options);
  if (!rates.ok()) return rates.status();
  DocumentGenerator::Config config{.seed = flags.seed, .tokens = flags.tokens, .rates = *rates};
  for (const std::string& name : flags.families) {
    config.families.push_back(FamilyOfName(name).value_or(Family::kKeeper));
  }
  DropRepeated(&config.families);
  return DocumentGenerator::Create(std::move(config));
}

int ExitCodeOf(const QualityResult& result, const CommandContext& context) {
  if (result.interrupted) {
    context.err << "windowkv: interrupted" << std::endl;
    return kExitInterrupted;
  }
  if (!result.first_error) return kExitDone;
  context.err << "windowkv: first error: " << ErrorLine(*result.first_error) << std::endl;
  return result.Total().answered() == 0 && result.unreachable > 0 ? kExitUnreachable
                                                                  : kExitServerError;
}

int Report(const QualityFlags& flags, const QualityRunFacts& facts, const QualityResult& result,
           const CommandContext& context) {
  context.out << (flags.json ? QualityJson(facts, result) : QualityText(facts, result))
              << std::flush;
  if (!flags.svg.empty()) {
    std::ofstream file(flags.svg, std::ios::trunc);
    file << QualityPlotOf(facts, result).ToSvg() << std::flush;
    if (!file) {
      context.err << "windowkv: cannot write " << flags.svg << std::endl;
      return kExitServerError;
    }
  }
  return ExitCodeOf(result, context);
}

bool HasIdleWindowkvFlags(const QualityFlags& flags) {
  const bool runs =
      std::find(flags.policies.begin(), flags.policies.end(), "windowkv") != flags.policies.end();
  return !runs && flags.windowkv.cache().ByteSizeLong() > 0;
}

int RunQualityCommand(const QualityFlags& flags, const CommandContext& context) {
  if (HasIdleWindowkvFlags(flags)) {
    context.err << "windowkv: WINDOWKV is not among --policies: its options are for nobody"
                << std::endl;
  }
  if (absl::Status status = CheckWritable(flags.svg); !status.ok()) {
    return FailUsage(status, context);
  }
  auto client = flags.connection.Connect();
  if (!client.ok()) return FailUsage(client.status(), context);
  const CallOptions options = flags.connection.ToCallOptions(&context.interrupt);
  auto model = (*client)->GetModelInfo(options);
  if (!model.ok()) return Fail(model.status(), context);
  if (absl::Status status = CheckContext(flags, *model); !status.ok()) {
    return FailUsage(status, context);
  }
  auto generator = MakeGenerator(flags, **client, options);
  if (!generator.ok()) return Fail(generator.status(), context);
  const QualityPlan plan = PlanOf(flags);
  const size_t num_requests = static_cast<size_t>(plan.documents) * plan.Settings().size();
  ProgressLine progress(&context.err, context.err_is_terminal);
  const auto on_done = [&](int done) {
    progress.Show(absl::StrCat(done, " of ", num_requests, " requests"));
  };
  const QualityResult result = RunQuality(**client, *generator, plan, options, on_done);
  progress.Clear();
  return Report(flags,
                {.model = model->name(),
                 .documents = plan.documents,
                 .tokens = flags.tokens,
                 .seed = flags.seed,
                 .concurrency = plan.concurrency},
                result, context);
}

}  // namespace

void AddBenchQualityCommand(CLI::App* bench, Command* chosen) {
  auto* command = bench->add_subcommand(
      "quality",
      "Ask questions about generated documents under each policy and budget and compare how many "
      "answers are exactly right");
  auto flags = std::make_shared<QualityFlags>();
  AddConnectionFlags(command, kRouterTarget, "10m", &flags->connection);
  command->option_defaults()->group("Measurement");
  AddPlanFlags(command, flags.get());
  command->option_defaults()->group("Documents");
  AddDocumentFlags(command, flags.get());
  command->option_defaults()->group("Output");
  AddOutputFlags(command, flags.get());
  command->option_defaults()->group("WINDOWKV's requests only");
  AddWindowkvFlags(command, &flags->windowkv);
  command->callback([flags, chosen] {
    *chosen = [flags](const CommandContext& context) { return RunQualityCommand(*flags, context); };
  });
}

}  // namespace windowkv::client
