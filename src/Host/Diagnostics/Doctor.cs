using System.Reflection;
using AsrPlatform.Abstractions.Audio;
using AsrPlatform.Abstractions.Decoding;
using AsrPlatform.Abstractions.Models;
using AsrPlatform.Abstractions.Plugins;
using AsrPlatform.Host.Plugins;

namespace AsrPlatform.Host.Diagnostics;

/// <summary>Examines the program, its plugins and the machine.</summary>
internal static class Doctor
{
    /// <summary>Examines everything. The plugins come first: what they load is part of what is found in the process.</summary>
    public static async Task<DoctorReport> ExamineAsync(PluginCatalog catalog, CancellationToken cancellationToken)
    {
        var sections = new List<DoctorSection>();
        foreach (var group in catalog.GetServicesByPlugin<IPluginDiagnostics>().GroupBy(pair => pair.Plugin.Id))
        {
            sections.Add(new DoctorSection($"plugin {group.Key}", [.. group.SelectMany(pair => Safely("diagnosis", () => pair.Service.Describe()))]));
        }

        var devices = new List<DoctorDevice>();
        var deviceErrors = new List<DiagnosticItem>();
        foreach (var backend in catalog.GetServices<ISeq2SeqBackend>())
        {
            deviceErrors.AddRange(Safely($"devices of {backend.Name}", () =>
            {
                devices.AddRange(backend.Devices.Select(device => new DoctorDevice(backend.Name, device.Name, device.Description)));
                return [];
            }));
        }

        if (deviceErrors.Count > 0)
        {
            sections.Add(new DoctorSection("devices", deviceErrors));
        }

        sections.Add(new DoctorSection("microphones", [.. catalog.GetServices<IAudioCapture>().SelectMany(capture => Safely(
            $"microphones of {capture.Name}",
            () => capture.Devices.Select(device => new DiagnosticItem($"{capture.Name} {device.Name}", device.IsDefault ? "the default" : device.Id))))]));
        sections.Add(new DoctorSection("libraries", [.. NativeLibraryDiagnostics.OfThisProcess()?.Describe() ?? []]));
        sections.Add(new DoctorSection("threads", [.. ThreadDiagnostics.OfThisProcess().Describe()]));
        sections.Add(new DoctorSection("programs", [await ToolDiagnostics.FfmpegAsync(cancellationToken)]));
        sections.Add(new DoctorSection("machine", [.. MachineDiagnostics.Describe()]));
        return new DoctorReport
        {
            CanTranscribe = catalog.GetServices<ISeq2SeqBackend>().Count + catalog.GetServices<ISpeechRecognizerBackend>().Count > 0,
            PluginsDirectory = catalog.Directory,
            Plugins = catalog.Statuses,
            Devices = devices,
            Sections = [.. sections.Where(section => section.Items.Count > 0)],
        };
    }

    /// <summary>Writes the report for people.</summary>
    public static void Write(DoctorReport report, TextWriter output)
    {
        output.WriteLine($"AsrPlatform {typeof(Doctor).Assembly.GetCustomAttribute<AssemblyInformationalVersionAttribute>()?.InformationalVersion}, plugin contract {PluginContract.Version}");
        output.WriteLine();
        output.WriteLine($"plugins in {report.PluginsDirectory}");
        foreach (var plugin in report.Plugins)
        {
            var loaded = plugin.State == PluginState.Loaded;
            var level = loaded || plugin.State == PluginState.Disabled ? DiagnosticLevel.Ok : DiagnosticLevel.Error;
            var kinds = plugin.Kinds.Count > 0 ? $" ({string.Join(", ", plugin.Kinds)})" : "";
            WriteItem(output, level, $"{plugin.Id} {plugin.Version}".TrimEnd() + kinds, loaded ? null : $"{StateName(plugin.State)}: {plugin.Reason}", plugin.Remedy);
        }

        if (report.Plugins.Count == 0)
        {
            WriteItem(output, DiagnosticLevel.Error, "none", null, "./run.sh builds and installs the plugins of this repository");
        }

        if (report.Devices.Count > 0)
        {
            output.WriteLine();
            output.WriteLine("devices");
            foreach (var device in report.Devices)
            {
                WriteItem(output, DiagnosticLevel.Ok, $"{device.Backend} {device.Name}", device.Description, null);
            }
        }

        foreach (var section in report.Sections)
        {
            output.WriteLine();
            output.WriteLine(section.Name);
            foreach (var item in section.Items)
            {
                WriteItem(output, item.Level, item.Name, item.Value, item.Remedy);
            }
        }

        output.WriteLine();
        output.WriteLine(report.CanTranscribe ? "Ready to transcribe." : "Nothing here can transcribe: see the plugins above.");
    }

    private static void WriteItem(TextWriter output, DiagnosticLevel level, string name, string? value, string? remedy)
    {
        var mark = level switch { DiagnosticLevel.Ok => "ok      ", DiagnosticLevel.Warning => "warning ", _ => "error   " };
        output.WriteLine($"  {mark} {name}{(value is null ? "" : $": {value}")}");
        if (remedy is not null)
        {
            output.WriteLine($"            -> {remedy}");
        }
    }

    private static string StateName(PluginState state) => state == PluginState.NativeMissing ? "native-missing" : state.ToString().ToLowerInvariant();

    /// <summary>A plugin that fails to describe itself is a finding too.</summary>
    private static IReadOnlyList<DiagnosticItem> Safely(string name, Func<IEnumerable<DiagnosticItem>> describe)
    {
        try
        {
            return [.. describe()];
        }
        catch (Exception error)
        {
            return [new DiagnosticItem(name, $"{error.GetType().Name}: {OneLine.Of(error.Message)}", DiagnosticLevel.Error, "tell the author of the plugin")];
        }
    }
}
