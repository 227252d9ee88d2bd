using AsrPlatform.Host.Plugins;
using AsrPlatform.Tests;
using Microsoft.Extensions.Configuration;

namespace AsrPlatform.Host.Tests.Plugins;

/// <summary>A plugins folder of one test, filled with copies of the test plugins.</summary>
internal sealed class PluginsFolder : IDisposable
{
    private static readonly string Built = Path.Combine(Fixtures.RepositoryRoot, "artifacts", "test-plugins");
    private static readonly string Manifests = Path.Combine(Fixtures.RepositoryRoot, "tests", "TestPlugins", "Manifests");

    private readonly string _parent = Directory.CreateTempSubdirectory("asr-plugins-").FullName;

    public PluginsFolder() => Directory.CreateDirectory(Root);

    public string Root => Path.Combine(_parent, "plugins");

    /// <summary>A folder beside the plugins folder.</summary>
    public string Beside(string name) => Directory.CreateDirectory(Path.Combine(_parent, name)).FullName;

    /// <summary>Copies a test plugin, built or manifest alone, and returns its new folder.</summary>
    public string Add(string name, string? folder = null) => Copy(name, Path.Combine(Root, folder ?? name));

    public static string Copy(string name, string target)
    {
        var source = Path.Combine(Built, name);
        if (!Directory.Exists(source))
        {
            source = Path.Combine(Manifests, name);
        }

        Directory.CreateDirectory(target);
        foreach (var file in Directory.EnumerateFiles(source))
        {
            File.Copy(file, Path.Combine(target, Path.GetFileName(file)));
        }

        return target;
    }

    public PluginCatalog Load(params (string Key, string Value)[] settings) =>
        PluginCatalog.Load(
            new PluginHostOptions
            {
                Directory = Root,
                SharedDirectory = Path.Combine(Fixtures.RepositoryRoot, "artifacts", "test-shared"),
            },
            Configuration(settings));

    public static IConfiguration Configuration(params (string Key, string Value)[] settings) =>
        new ConfigurationBuilder()
            .AddInMemoryCollection(settings.Select(setting => KeyValuePair.Create(setting.Key, (string?)setting.Value)))
            .Build();

    public void Dispose() => Directory.Delete(_parent, recursive: true);
}
