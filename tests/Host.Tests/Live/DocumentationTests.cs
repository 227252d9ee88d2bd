using AsrPlatform.Host.Live;
using AsrPlatform.Host.Live.Client;
using AsrPlatform.Tests;
using Microsoft.AspNetCore.Connections;
using Microsoft.AspNetCore.SignalR.Client;
using Microsoft.Extensions.DependencyInjection;

namespace AsrPlatform.Host.Tests.Live;

/// <summary>The examples of docs/live-protocol.md, against a host with a real model.</summary>
public sealed class DocumentationTests
{
    private const string Text = "The quick brown fox jumps over the lazy dog.";

    [Fact]
    public async Task TypeScriptExample_Runs()
    {
        var wav = Fixtures.Path("audio/fox.wav");
        var model = Fixtures.Path("micro");
        LiveHostTests.RequireBuilt();

        // Beside the packages, where the import finds them.
        var script = Path.Combine(Fixtures.RepositoryRoot, "src", "Host", "ClientApp", "node_modules", ".live-protocol.mjs");
        await File.WriteAllTextAsync(script, Example("ts"), TestContext.Current.CancellationToken);
        await using var host = await HostProcess.StartAsync("--model", model);
        var output = await LiveHostTests.RunNodeAsync([script, host.Url, wav]);
        Assert.Contains($"committed 1 {Text}\n", output, StringComparison.Ordinal);
    }

    [Fact]
    public async Task CSharpExample_IsWhatIsCompiledAndRuns()
    {
        var source = await File.ReadAllTextAsync(Path.Combine(Fixtures.RepositoryRoot, "tests", "Host.Tests", "Live", "DocumentedClient.cs"), TestContext.Current.CancellationToken);
        Assert.Contains(Indented(Example("csharp")), source, StringComparison.Ordinal);

        var samples = (await File.ReadAllBytesAsync(Fixtures.Path("audio/fox.wav"), TestContext.Current.CancellationToken))[44..];
        var model = Fixtures.Path("micro");
        LiveHostTests.RequireBuilt();
        await using var host = await HostProcess.StartAsync("--model", model);
        var builder = new HubConnectionBuilder();
        builder.Services.AddSingleton<IConnectionFactory>(new WebSocketConnectionFactory());
        builder.Services.AddSingleton<System.Net.EndPoint>(new UriEndPoint(new Uri(host.Url.Replace("http:", "ws:", StringComparison.Ordinal) + CaptionHub.Route)));
        await using var hub = builder.Build();
        await hub.StartAsync(TestContext.Current.CancellationToken);
        Assert.Equal(Text, await DocumentedClient.CaptionAsync(hub, Chunks()));

        async IAsyncEnumerable<byte[]> Chunks()
        {
            foreach (var chunk in samples.Chunk(3200))
            {
                await Task.Yield();
                yield return chunk;
            }
        }
    }

    private static string Example(string language)
    {
        var text = File.ReadAllText(Path.Combine(Fixtures.RepositoryRoot, "docs", "live-protocol.md"));
        var start = text.IndexOf($"```{language}\n", StringComparison.Ordinal) + language.Length + 4;
        return text[start..text.IndexOf("```", start, StringComparison.Ordinal)];
    }

    private static string Indented(string code) =>
        string.Join('\n', code.TrimEnd().Split('\n').Select(line => line.Length > 0 ? "    " + line : line));
}
