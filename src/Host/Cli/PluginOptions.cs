using System.CommandLine;
using AsrPlatform.Host.Plugins;

namespace AsrPlatform.Host.Cli;

/// <summary>Loads the plugins for verbs that need them; configuration comes from <c>appsettings.json</c> beside the program and the environment.</summary>
internal sealed class PluginOptions
{
    public Option<string?> Directory { get; } = new("--plugins-dir") { Description = "the folder of the plugins; default: beside the program", HelpName = "DIR" };

    public PluginCatalog Load(ParseResult parsed)
    {
        var configuration = new ConfigurationBuilder()
            .AddJsonFile(Path.Combine(AppContext.BaseDirectory, "appsettings.json"), optional: true)
            .AddEnvironmentVariables("ASR_")
            .Build();
        return PluginCatalog.Load(PluginHostOptions.From(configuration, parsed.GetValue(Directory)), configuration);
    }
}
