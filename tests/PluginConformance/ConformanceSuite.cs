using AsrPlatform.Abstractions.Decoding;
using AsrPlatform.Abstractions.Models;
using AsrPlatform.Abstractions.Plugins;
using AsrPlatform.Host.Plugins;
using Microsoft.Extensions.Configuration;

namespace AsrPlatform.PluginConformance;

/// <summary>Checks a plugin against what <c>AsrPlatform.Abstractions</c> says that plugins do.</summary>
public static class ConformanceSuite
{
    /// <summary>Runs every check that applies to the plugin's kinds, on the calling thread.</summary>
    public static IReadOnlyList<ConformanceCheck> Run(ConformanceOptions options)
    {
        var list = new Checklist();
        var directory = Path.GetFullPath(options.PluginDirectory);
        PluginManifest? manifest = null;
        var valid = list.Run("manifest", () =>
        {
            Expect.That(Directory.Exists(directory), $"{directory} is no folder");
            manifest = PluginManifestFile.Read(directory);
            PluginManifestFile.ValidateId(manifest);
            PluginManifestFile.Validate(manifest, directory);
            return $"{manifest.Id} {manifest.Version}, contract {manifest.Contract}";
        });
        if (!valid)
        {
            return list.Checks;
        }

        list.Run("folder: nothing that the host has", () =>
        {
            var copies = Directory.EnumerateFiles(directory, "*.dll")
                .Select(path => Path.GetFileName(path))
                .Where(name => name is "AsrPlatform.Abstractions.dll" or "AsrPlatform.Whisper.dll" || name.StartsWith("Microsoft.Extensions.", StringComparison.Ordinal))
                .ToList();
            Expect.That(copies.Count == 0, $"the host uses its own {string.Join(", ", copies)}: refer to it with Private=false or ExcludeAssets=runtime");
        });

        var configuration = new ConfigurationBuilder()
            .AddInMemoryCollection(options.Settings.Select(setting => KeyValuePair.Create($"Plugins:{manifest!.Id}:{setting.Key}", (string?)setting.Value)))
            .Build();
        var shared = options.SharedDirectory ?? Path.GetFullPath(Path.Combine(directory, "..", "..", "shared"));
        var catalog = PluginCatalog.LoadOne(directory, shared, configuration);
        var loaded = list.Run("load", () =>
        {
            var status = catalog.Statuses[0];
            Expect.That(
                status.State == PluginState.Loaded,
                $"{status.State}: {status.Reason}" + (status.Remedy is null ? "" : $" ({status.Remedy})"));
            return string.Join(", ", status.Kinds);
        });
        if (!loaded)
        {
            return list.Checks;
        }

        var diagnostics = catalog.GetServices<IPluginDiagnostics>();
        if (diagnostics.Count > 0)
        {
            list.Run("diagnostics", () =>
            {
                var items = diagnostics.SelectMany(service => service.Describe()).ToList();
                Expect.That(items.All(item => item.Name.Length > 0 && item.Value.Length > 0), "an item has no name or no value");
                Expect.That(
                    items.All(item => item.Level == DiagnosticLevel.Ok || !string.IsNullOrEmpty(item.Remedy)),
                    "an item that is not ok has no remedy");
                return $"{items.Count} items";
            });
        }

        var load = new ModelLoadOptions { ModelDirectory = options.ModelDirectory, Device = options.Device };
        foreach (var backend in catalog.GetServices<ISpeechRecognizerBackend>())
        {
            new RecognizerChecks(list, backend, load).Run();
        }

        foreach (var backend in catalog.GetServices<ISeq2SeqBackend>())
        {
            new Seq2SeqChecks(list, backend, load).Run();
        }

        list.Run("dispose", () => catalog.DisposeAsync().AsTask().GetAwaiter().GetResult());
        return list.Checks;
    }
}
