using System.Net.WebSockets;
using System.Threading.Channels;
using AsrPlatform.Host.Api;
using AsrPlatform.Host.Live;
using AsrPlatform.Host.Live.Client;
using AsrPlatform.Host.Plugins;
using AsrPlatform.Host.Security;
using AsrPlatform.Host.Tests.Live;
using AsrPlatform.Tests;
using Microsoft.AspNetCore.Builder;
using Microsoft.Extensions.Configuration;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Logging.Testing;

namespace AsrPlatform.Host.Tests.Security;

/// <summary>The whole service on a free port of loopback, over a data folder of its own and a recogniser that reads tones.</summary>
internal sealed class SecureHost : IAsyncDisposable
{
    private readonly TemporaryFolder _data = new();
    private readonly PluginCatalog _plugins;

    private SecureHost()
    {
        _plugins = PluginCatalog.Load(new PluginHostOptions { Directory = _data.File("no-plugins") }, new ConfigurationBuilder().Build());
        Keys = new ApiKeyStore(_data.Root, TimeProvider.System);
    }

    public static CancellationToken Cancelled => TestContext.Current.CancellationToken;

    public ToneRecognizer Recognizer { get; } = new();

    public WebApplication App { get; private set; } = null!;

    public HttpClient Http { get; private set; } = null!;

    /// <summary>The keys as another process sees and changes them.</summary>
    public ApiKeyStore Keys { get; }

    public TemporaryFolder Data => _data;

    /// <summary>Everything that was logged at the levels that are on.</summary>
    public FakeLogCollector Logs => App.Services.GetRequiredService<FakeLogCollector>();

    public Uri Url => Http.BaseAddress!;

    public LiveSessionStore Sessions => App.Services.GetRequiredService<LiveSessionStore>();

    public static Task<SecureHost> StartAsync(params (string Name, string? Value)[] settings) => StartAsync(null, settings);

    public static async Task<SecureHost> StartAsync(TimeProvider? time, params (string Name, string? Value)[] settings)
    {
        var host = new SecureHost();
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

            host.App = HostApplication.Build(builder, host._plugins, () => host.Recognizer);
            await host.App.StartAsync(Cancelled);
            host.Http = new HttpClient { BaseAddress = new Uri(host.App.Urls.First()) };
            await host.App.Services.GetRequiredService<Serving.ModelHost>().ReadyAsync(Cancelled);
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

/// <summary>SignalR's JSON protocol by hand: what no client library would send.</summary>
internal sealed class RawHub : IAsyncDisposable
{
    private const byte Separator = 0x1e;

    private readonly ClientWebSocket _socket = new();
    private readonly List<byte> _received = [];

    public static async Task<RawHub> OpenAsync(Uri address)
    {
        var hub = new RawHub();
        await hub._socket.ConnectAsync(address, SecureHost.Cancelled);
        await hub.SendAsync("""{"protocol":"json","version":1}""");
        Assert.Equal("{}", await hub.ReceiveAsync());
        return hub;
    }

    public Task SendAsync(string message) => SendAsync([.. System.Text.Encoding.UTF8.GetBytes(message), Separator]);

    public Task SendAsync(byte[] bytes) => _socket.SendAsync(bytes, WebSocketMessageType.Text, endOfMessage: true, SecureHost.Cancelled);

    /// <summary>The next message that is no ping; null when the host has closed the connection.</summary>
    public async Task<string?> ReceiveAsync()
    {
        var buffer = new byte[4096];
        while (true)
        {
            if (_received.IndexOf(Separator) is >= 0 and var end)
            {
                var message = System.Text.Encoding.UTF8.GetString([.. _received.Take(end)]);
                _received.RemoveRange(0, end + 1);
                if (message == """{"type":6}""")
                {
                    continue;
                }

                return message;
            }

            var part = await _socket.ReceiveAsync(buffer, SecureHost.Cancelled);
            if (part.MessageType == WebSocketMessageType.Close)
            {
                return null;
            }

            _received.AddRange(buffer.AsSpan(0, part.Count));
        }
    }

    public ValueTask DisposeAsync()
    {
        _socket.Dispose();
        return ValueTask.CompletedTask;
    }
}
