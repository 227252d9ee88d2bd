using System.Runtime.Loader;
using AsrPlatform.Abstractions.Decoding;
using AsrPlatform.TestPlugins.Library;

namespace AsrPlatform.Host.Tests.Plugins;

// One after the other: they count what is loaded in the whole process.
[Collection("loaded assemblies")]
public sealed class PluginLoadContextTests : IDisposable
{
    private readonly PluginsFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    [Fact]
    public async Task Load_AssemblyThatPluginAndHostHave_ThePluginUsesItsOwn()
    {
        _folder.Add("own-library");

        await using var catalog = _folder.Load();

        Assert.Equal("the host", Library.Origin);
        Assert.Equal("the plugin", Ask(Assert.Single(catalog.GetServices<ISpeechDecoder>())));
    }

    [Fact]
    public async Task Load_BindingOfTwoPlugins_IsOneCopyInTheSharedContext()
    {
        _folder.Add("own-library");
        _folder.Add("binding-user");

        await using var catalog = _folder.Load();
        var before = Registrations();
        await using var again = _folder.Load();

        // Two plugins registered at the second start, and each question registers once.
        Assert.Equal(before + 3, Registrations());
        var copies = AssemblyLoadContext.All
            .SelectMany(context => context.Assemblies)
            .Where(assembly => assembly.GetName().Name == "AsrPlatform.TestPlugins.TestBinding")
            .ToList();
        Assert.Equal("shared", AssemblyLoadContext.GetLoadContext(Assert.Single(copies))!.Name);

        int Registrations() => int.Parse(Ask(catalog.GetServices<ISpeechDecoder>().Single(decoder => decoder.Name == "binding-user")));
    }

    [Fact]
    public async Task Load_PluginWithACopyOfAbstractions_StillMeetsTheHostsTypes()
    {
        var directory = _folder.Add("good");
        File.Copy(typeof(ISpeechDecoder).Assembly.Location, Path.Combine(directory, "AsrPlatform.Abstractions.dll"));

        await using var catalog = _folder.Load();

        Assert.Single(catalog.GetServices<ISpeechRecognizerBackend>());
        Assert.Single(AssemblyLoadContext.All.SelectMany(context => context.Assemblies), assembly => assembly.GetName().Name == "AsrPlatform.Abstractions");
    }

    private static string Ask(ISpeechDecoder decoder) =>
        decoder.Decode(null!, null!, new TranscriptionOptions(), null, default).Text;
}
