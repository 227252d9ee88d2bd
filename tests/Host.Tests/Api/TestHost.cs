using System.Threading.Channels;
using AsrPlatform.Abstractions.Decoding;
using AsrPlatform.Host.Api;
using AsrPlatform.Host.Live;
using AsrPlatform.Host.Live.Client;
using AsrPlatform.Host.Plugins;
using AsrPlatform.Host.Security;
using AsrPlatform.Host.Tests.Live;
using AsrPlatform.Host.Tests.Security;
using AsrPlatform.Tests;
using Microsoft.AspNetCore.Builder;
using Microsoft.Extensions.Configuration;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Logging.Testing;

namespace AsrPlatform.Host.Tests.Api;

/// <summary>The whole service on a free port of loopback, over a data folder of its own and a recogniser that reads tones.</summary>
internal sealed class TestHost : IAsyncDisposable
{
    private readonly TemporaryFolder _data = new();
    private readonly PluginCatalog _plugins;

    private TestHost(ToneRecognizer recognizer)
    {
        Recognizer = recognizer;
        _plugins = PluginCatalog.Load(new PluginHostOptions { Directory = _data.File("no-plugins") }, new ConfigurationBuilder().Build());
        Keys = new ApiKeyStore(_data.Root, TimeProvider.System);
    }

    public static CancellationToken Cancelled => TestContext.Current.CancellationToken;

    public ToneRecognizer Recognizer { get; }

    public WebApplication App { get; private set; } = null!;

    public HttpClient Http { get; private set; } = null!;

    /// <summary>The keys as another process sees and changes them.</summary>
    public ApiKeyStore Keys { get; }

    public TemporaryFolder Data => _data;

    /// <summary>Everything that was logged at the levels that are on.</summary>
    public FakeLogCollector Logs => App.Services.GetRequiredService<FakeLogCollector>();

    public Uri Url => Http.BaseAddress!;

    public LiveSessionStore Sessions => App.Services.GetRequiredService<LiveSessionStore>();

    public static Task<TestHost> StartAsync(params (string Name, string? Value)[] settings) => StartAsync((TimeProvider?)null, settings);

    public static async Task<TestHost> StartAsync(TimeProvider? time, params (string Name, string? Value)[] settings)
    {
        var recognizer = new ToneRecognizer();
        var host = await StartAsync(recognizer, () => recognizer, time, settings);
        await host.App.Services.GetRequiredService<Serving.ModelHost>().ReadyAsync(Cancelled);
        return host;
    }

    /// <summary>Starts it over what a factory gives or throws, and does not wait for that.</summary>
    public static Task<TestHost> StartAsync(Func<ISpeechRecognizer> load, params (string Name, string? Value)[] settings) =>
        StartAsync(new ToneRecognizer(), load, null, settings);

    private static async Task<TestHost> StartAsync(ToneRecognizer recognizer, Func<ISpeechRecognizer> load, TimeProvider? time, (string Name, string? Value)[] settings)
    {
        var host = new TestHost(recognizer);
        try
        {
            var builder = HostApplication.CreateBuilder(
                [
                    new("urls", "http://127.0.0.1:0"),
                    new("Live:PauseDuration", "00:00:00.6"),
                    .. settings.Select(setting => KeyValuePair.Create(setting.Name, setting.Value)),
                ],
                host._data.Root);
            builder.Logging.ClearProviders();
            builder.Logging.AddFakeLogging();
            if (time is not null)
            {
                builder.Services.AddSingleton(time);
            }

            host.App = HostApplication.Build(builder, host._plugins, () => load());
            await host.App.StartAsync(Cancelled);
            host.Http = new HttpClient { BaseAddress = new Uri(host.App.Urls.First()) };
            return host;
        }
        catch
        {
            await host.DisposeAsync();
            throw;
        }
    }

    /// <summary>Makes a key, as <c>asr keys create</c> does.</summary>
    public async Task<string> KeyAsync(Role role, string? name = null) =>
        (await Keys.CreateAsync(role, name ?? role.NameOf(), lifetime: null, Cancelled)).Secret;

    public Task<LiveClient> ConnectAsync(string? key = null) => LiveClient.ConnectAsync(Url, Cancelled, key);

    /// <summary>A request with a key.</summary>
    public async Task<HttpResponseMessage> SendAsync(HttpMethod method, string path, string? key = null, params (string Name, string Value)[] headers)
    {
        using var request = new HttpRequestMessage(method, path);
        if (key is not null)
        {
            request.Headers.Authorization = new("Bearer", key);
        }

        foreach (var (name, value) in headers)
        {
            request.Headers.TryAddWithoutValidation(name, value);
        }

        return await Http.SendAsync(request, Cancelled);
    }

    /// <summary>A socket on the hub after SignalR's handshake.</summary>
    public async Task<RawHub> OpenRawAsync() => await RawHub.OpenAsync(new UriBuilder(new Uri(Url, CaptionHub.Route)) { Scheme = "ws" }.Uri);

    /// <summary>Sends audio to a session until the host has it.</summary>
    public static async Task SendAudioAsync(LiveClient client, string session, IEnumerable<string> chunks, long offset = 0)
    {
        var channel = Channel.CreateUnbounded<string>();
        foreach (var chunk in chunks)
        {
            channel.Writer.TryWrite(chunk);
        }

        channel.Writer.Complete();
        await foreach (var _ in client.StreamAudioAsync(session, offset, channel.Reader, Cancelled))
        {
        }
    }

    public async ValueTask DisposeAsync()
    {
        Http?.Dispose();
        if (App is not null)
        {
            await App.StopAsync(CancellationToken.None);
            await App.DisposeAsync();
        }

        await _plugins.DisposeAsync();
        Recognizer.Dispose();
        _data.Dispose();
    }
}
