using System.CommandLine;
using AsrPlatform.Host.Plugins;
using AsrPlatform.Host.Settings;

namespace AsrPlatform.Host.Cli;

/// <summary>Loads the plugins for verbs that need them; configuration comes from <c>appsettings.json</c> beside the program and the environment.</summary>
internal sealed class PluginOptions
{
    public Option<string?> Directory { get; } = new("--plugins-dir") { Description = "the folder of the plugins; default: beside the program", HelpName = "DIR" };

    /// <param name="parsed">The command line.</param>
    /// <param name="configuration">The host's; default: that of a program without options.</param>
    public PluginCatalog Load(ParseResult parsed, IConfiguration? configuration = null)
    {
        if (configuration is null)
        {
            var builder = new ConfigurationBuilder();
            HostConfiguration.Apply(builder, dataDirectory: null, file: null, settings: []);
            configuration = builder.Build();
        }

        return PluginCatalog.Load(PluginHostOptions.From(configuration, parsed.GetValue(Directory)), configuration);
    }
}
