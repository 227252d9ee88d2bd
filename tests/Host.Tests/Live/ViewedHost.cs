using System.Diagnostics;
using System.Text.Json;
using AsrPlatform.Host.Api;
using AsrPlatform.Host.Plugins;
using AsrPlatform.Tests;
using Microsoft.AspNetCore.Hosting;
using Microsoft.AspNetCore.Server.Kestrel.Transport.Sockets;
using Microsoft.Extensions.Configuration;

namespace AsrPlatform.Host.Tests.Live;

/// <summary>Memory of a process.</summary>
/// <param name="WorkingSet">Bytes of it that are in memory.</param>
/// <param name="Managed">Bytes of live objects, after a collection.</param>
/// <param name="Viewers">Viewers connected.</param>
internal sealed record HostMemory(long WorkingSet, long Managed, int Viewers);

/// <summary>The service in a process of its own, over a recogniser that reads tones, with small socket buffers: who reads nothing holds it up soon.</summary>
internal sealed class ViewedHost : IAsyncDisposable
{
    /// <summary>In the environment: be such a host.</summary>
    public const string Variable = "ASR_TEST_VIEWED_HOST";

    /// <summary>What a connection may hold of what its viewer does not read, in the kernel and in the server each; the kernel doubles its own.</summary>
    private const int SocketBuffer = 8 * 1024;

    private readonly Process _process;

    private ViewedHost(Process process, Uri url)
    {
        _process = process;
        Url = url;
    }

    public Uri Url { get; }

    public static async Task<ViewedHost> StartAsync()
    {
        var start = StartupHook.Start(Variable, "1");
        start.RedirectStandardInput = true;
        var process = Process.Start(start)!;
        var url = await process.StandardOutput.ReadLineAsync(TestContext.Current.CancellationToken);
        Assert.True(Uri.TryCreate(url, UriKind.Absolute, out var address), $"The host said '{url}'.");
        return new ViewedHost(process, address);
    }

    /// <summary>Its memory now.</summary>
    public async Task<HostMemory> MeasureAsync()
    {
        await _process.StandardInput.WriteLineAsync("memory");
        await _process.StandardInput.FlushAsync();
        return JsonSerializer.Deserialize<HostMemory>((await _process.StandardOutput.ReadLineAsync(TestContext.Current.CancellationToken))!)!;
    }

    public async ValueTask DisposeAsync()
    {
        _process.StandardInput.Close();
        using var patience = new CancellationTokenSource(TimeSpan.FromSeconds(20));
        try
        {
            await _process.WaitForExitAsync(patience.Token);
        }
        catch (OperationCanceledException)
        {
            _process.Kill();
        }

        _process.Dispose();
    }

    /// <summary>What the process does instead of running tests: it serves until its standard input ends.</summary>
    public static async Task RunAsync()
    {
        using var data = new TemporaryFolder();
        using var recognizer = new ToneRecognizer();
        await using var plugins = PluginCatalog.Load(new PluginHostOptions { Directory = data.File("no-plugins") }, new ConfigurationBuilder().Build());
        var builder = HostApplication.CreateBuilder(
            [
                new("urls", "http://127.0.0.1:0"),
                new("Logging:LogLevel:Default", "None"),
                new("Live:PauseDuration", "00:00:00.6"),
                new("Live:ViewerQueue", "4"),
                new("Corrections:PerAuthorPerMinute", "100000"),
            ],
            data.Root);
        builder.WebHost.UseSockets(static sockets =>
        {
            sockets.MaxWriteBufferSize = SocketBuffer;
            sockets.CreateBoundListenSocket = static endpoint =>
            {
                // Connections that are accepted inherit it.
                var socket = SocketTransportOptions.CreateDefaultBoundListenSocket(endpoint);
                socket.SendBufferSize = SocketBuffer;
                return socket;
            };
        });
        await using var app = HostApplication.Build(builder, plugins, () => recognizer);
        await app.StartAsync();
        Say(app.Urls.First());
        var sessions = (Host.Live.LiveSessionStore)app.Services.GetService(typeof(Host.Live.LiveSessionStore))!;
        while (await Console.In.ReadLineAsync() is not null)
        {
            // Twice: finalizers of the first collection free what the second finds.
            GC.Collect();
            GC.WaitForPendingFinalizers();
            var managed = GC.GetTotalMemory(forceFullCollection: true);
            using var process = Process.GetCurrentProcess();
            Say(JsonSerializer.Serialize(new HostMemory(process.WorkingSet64, managed, sessions.Sessions.Sum(session => session.Viewers))));
        }

        using var patience = new CancellationTokenSource(TimeSpan.FromSeconds(5));
        await app.StopAsync(patience.Token);
    }

    private static void Say(string line)
    {
        Console.Out.WriteLine(line);
        Console.Out.Flush();
    }
}
