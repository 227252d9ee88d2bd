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
    public async Task TypeScriptExample_IsTheContractOfThePageAndCompilesAndRuns()
    {
        var examples = Examples("ts");
        var protocol = await File.ReadAllTextAsync(Path.Combine(ClientApp, "src", "protocol.ts"), TestContext.Current.CancellationToken);
        Assert.Contains(examples[0], protocol, StringComparison.Ordinal);

        var wav = Fixtures.Path("audio/fox.wav");
        var model = Fixtures.Path("micro");
        LiveHostTests.RequireBuilt();

        // Beside the packages, where the import finds them.
        var script = Path.Combine(ClientApp, "node_modules", ".live-protocol");
        await File.WriteAllTextAsync(script + ".mts", string.Join('\n', examples), TestContext.Current.CancellationToken);
        await LiveHostTests.RunNodeAsync([
            Path.Combine(ClientApp, "node_modules", "typescript", "bin", "tsc"), script + ".mts",
            "--strict", "--target", "es2022", "--module", "nodenext", "--lib", "es2023,dom", "--skipLibCheck"]);
        await File.WriteAllTextAsync(
            script + "-run.mjs",
            """
            import { readFileSync } from "node:fs";
            import { caption } from "./.live-protocol.mjs";

            const [host, wav] = process.argv.slice(2);
            const bytes = readFileSync(wav).subarray(44);
            const pcm = Int16Array.from({ length: bytes.length / 2 }, (_, index) => bytes.readInt16LE(2 * index));
            const states = new Set();
            const text = await caption(host, "", pcm, (update) => states.add(update.state));
            console.log(JSON.stringify({ text, states: [...states].sort() }));
            """,
            TestContext.Current.CancellationToken);
        await using var host = await HostProcess.StartAsync("--model", model);
        var output = await LiveHostTests.RunNodeAsync([script + "-run.mjs", host.Url, wav]);
        Assert.Equal($$"""{"text":"{{Text}}","states":["committed","tentative"]}""", output.TrimEnd().Split('\n')[^1]);
    }

    [Fact]
    public async Task CSharpExample_IsWhatIsCompiledAndRuns()
    {
        var source = await File.ReadAllTextAsync(Path.Combine(Fixtures.RepositoryRoot, "tests", "Host.Tests", "Live", "DocumentedClient.cs"), TestContext.Current.CancellationToken);
        Assert.All(Examples("csharp"), example => Assert.Contains(Indented(example), source, StringComparison.Ordinal));

        var samples = (await File.ReadAllBytesAsync(Fixtures.Path("audio/fox.wav"), TestContext.Current.CancellationToken))[44..];
        var model = Fixtures.Path("micro");
        LiveHostTests.RequireBuilt();
        await using var host = await HostProcess.StartAsync("--model", model);
        var builder = new HubConnectionBuilder();
        builder.Services.AddSingleton<IConnectionFactory>(new WebSocketConnectionFactory());
        builder.Services.AddSingleton<System.Net.EndPoint>(new UriEndPoint(new Uri(host.Url.Replace("http:", "ws:", StringComparison.Ordinal) + CaptionHub.Route)));
        await using var hub = builder.Build();
        await hub.StartAsync(TestContext.Current.CancellationToken);
        var first = "";
        var text = await DocumentedClient.CaptionAsync(hub, Chunks(), seen => (first = seen) + ", corrected");
        Assert.NotEqual("", first);
        Assert.Equal(first + ", corrected" + Text[first.Length..], text);

        async IAsyncEnumerable<byte[]> Chunks()
        {
            foreach (var chunk in samples.Chunk(3200))
            {
                await Task.Yield();
                yield return chunk;
            }
        }
    }

    private static string ClientApp => Path.Combine(Fixtures.RepositoryRoot, "src", "Host", "ClientApp");

    /// <summary>The document's blocks of code in a language.</summary>
    private static string[] Examples(string language)
    {
        var text = File.ReadAllText(Path.Combine(Fixtures.RepositoryRoot, "docs", "live-protocol.md"));
        return [.. text.Split($"```{language}\n").Skip(1).Select(block => block[..block.IndexOf("```", StringComparison.Ordinal)])];
    }

    private static string Indented(string code) =>
        string.Join('\n', code.TrimEnd().Split('\n').Select(line => line.Length > 0 ? "    " + line : line));
}
