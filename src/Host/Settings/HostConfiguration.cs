using System.Text.Json;
using AsrPlatform.Abstractions;
using Microsoft.Extensions.Configuration.Memory;

namespace AsrPlatform.Host.Settings;

/// <summary>
/// Where settings come from, the weakest first: the host's defaults, <c>appsettings.json</c> beside the program, the file that is named
/// (or <c>appsettings.json</c> in the data folder), environment variables (<c>ASR_Live__MaximumSessions</c>), the command line.
/// </summary>
internal static class HostConfiguration
{
    public const string FileName = "appsettings.json";
    public const string EnvironmentPrefix = "ASR_";

    private static readonly Dictionary<string, string?> Defaults = new()
    {
        ["urls"] = "http://127.0.0.1:5080",
        ["Logging:LogLevel:Default"] = "Information",
        ["Logging:LogLevel:Microsoft"] = "Warning",
        ["Logging:LogLevel:System"] = "Warning",

        // The hub logs what is a defect, once; this would log what clients do wrong, with a stack trace each.
        ["Logging:LogLevel:Microsoft.AspNetCore.SignalR.Internal.DefaultHubDispatcher"] = "None",

        // What stops the start is told in one line by the verb.
        ["Logging:LogLevel:Microsoft.Extensions.Hosting.Internal.Host"] = "None",

        // Stdout is the verbs'.
        ["Logging:Console:LogToStandardErrorThreshold"] = "Trace",
        ["Logging:Console:FormatterName"] = "simple",
        ["Logging:Console:FormatterOptions:SingleLine"] = "true",
        ["Logging:Console:FormatterOptions:UseUtcTimestamp"] = "true",
        ["Logging:Console:FormatterOptions:TimestampFormat"] = "yyyy-MM-ddTHH:mm:ss.fffZ ",
    };

    /// <summary>Puts these sources in place of whatever a builder had.</summary>
    /// <param name="configuration">The builder's.</param>
    /// <param name="dataDirectory">The data folder, which need not exist; null for none.</param>
    /// <param name="file">The file that is named; null for none.</param>
    /// <param name="settings">What the command line says; of one that is there twice the last counts.</param>
    /// <exception cref="AsrException">A file is not there or is no JSON.</exception>
    public static void Apply(IConfigurationBuilder configuration, string? dataDirectory, string? file, IEnumerable<KeyValuePair<string, string?>> settings)
    {
        configuration.Sources.Clear();
        configuration.Sources.Add(new MemoryConfigurationSource { InitialData = Defaults });
        AddFile(configuration, Path.Combine(AppContext.BaseDirectory, FileName), isOptional: true);
        if (file is not null)
        {
            AddFile(configuration, file, isOptional: false);
        }
        else if (dataDirectory is not null)
        {
            AddFile(configuration, Path.Combine(dataDirectory, FileName), isOptional: true);
        }

        configuration.AddEnvironmentVariables(EnvironmentPrefix);

        // A setting that is given twice is the later one.
        configuration.AddInMemoryCollection(settings.Reverse().DistinctBy(setting => setting.Key, StringComparer.OrdinalIgnoreCase));
        if (dataDirectory is not null)
        {
            configuration.AddInMemoryCollection([new("DataDirectory", dataDirectory)]);
        }
    }

    /// <summary>A file's settings, read once: what changes while the host runs is not looked at.</summary>
    private static void AddFile(IConfigurationBuilder configuration, string path, bool isOptional)
    {
        if (isOptional && !File.Exists(path))
        {
            return;
        }

        try
        {
            var content = new MemoryStream(File.ReadAllBytes(path));
            var read = new ConfigurationBuilder().AddJsonStream(content).Build();
            configuration.AddInMemoryCollection(read.AsEnumerable().Where(setting => setting.Value is not null));
        }
        catch (Exception error) when (error is IOException or UnauthorizedAccessException)
        {
            throw new AsrException($"the settings in {path} cannot be read: {error.Message}", error);
        }
        catch (Exception error) when (error is FormatException or JsonException)
        {
            throw new AsrException($"the settings in {path} are no JSON: {(error.InnerException ?? error).Message.ReplaceLineEndings(" ")}", error);
        }
    }
}
