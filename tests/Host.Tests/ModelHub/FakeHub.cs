using System.Collections.Concurrent;
using System.Diagnostics.CodeAnalysis;
using System.Net;
using System.Security.Cryptography;
using System.Text;
using System.Text.Json;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Hosting;
using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.Logging;

namespace AsrPlatform.Host.Tests.ModelHub;

/// <summary>A server on this machine that answers in the hub's paths and fails as it is told.</summary>
internal sealed class FakeHub : IAsyncDisposable
{
    public const string Model = "org/whisper-micro";

    public const string Commit = "0123456789abcdef0123456789abcdef01234567";

    private readonly WebApplication _application;
    private readonly Dictionary<string, byte[]> _files;

    private FakeHub(Dictionary<string, byte[]> files)
    {
        _files = files;
        var builder = WebApplication.CreateSlimBuilder();
        builder.Logging.ClearProviders();
        builder.WebHost.ConfigureKestrel(options => options.Listen(IPAddress.Loopback, 0));
        _application = builder.Build();
        _application.Run(AnswerAsync);
    }

    public string Address => _application.Urls.First();

    public ConcurrentQueue<(string Path, string? Range, string? Authorization)> Requests { get; } = new();

    /// <summary>Cuts the connection after so many bytes of a file, once for each entry.</summary>
    public Queue<int> Cuts { get; } = new();

    /// <summary>Only the names of files, as some mirrors answer; sizes and hashes are in the tree.</summary>
    public bool NamesOnly { get; set; }

    public bool IgnoresRanges { get; set; }

    /// <summary>The file whose hash is not the one of its content.</summary>
    public string? WrongHashOf { get; set; }

    /// <summary>Content that is sent wrong, so many times.</summary>
    public int Corruptions { get; set; }

    public string? RequiredToken { get; set; }

    public string? ErrorCode { get; set; }

    /// <summary>Where weights are: another host, as the hub's storage.</summary>
    public string? StorageAddress { get; set; }

    public static async Task<FakeHub> StartAsync(string folder, params (string Name, byte[] Content)[] more)
    {
        var files = Directory.GetFiles(folder).ToDictionary(path => Path.GetFileName(path)!, File.ReadAllBytes);
        foreach (var (name, content) in more)
        {
            files[name] = content;
        }

        var hub = new FakeHub(files);
        await hub._application.StartAsync();
        return hub;
    }

    public void Remove(string name) => _files.Remove(name);

    public int CountOf(string file) => Requests.Count(request => request.Path.EndsWith("/" + file, StringComparison.Ordinal));

    public async ValueTask DisposeAsync() => await _application.DisposeAsync();

    private static bool IsLarge(string name) => name.EndsWith(".safetensors", StringComparison.Ordinal);

    private async Task AnswerAsync(HttpContext context)
    {
        var path = context.Request.Path.Value!;
        Requests.Enqueue((path, context.Request.Headers.Range, context.Request.Headers.Authorization));
        if (RequiredToken is not null && !path.StartsWith("/storage/", StringComparison.Ordinal) && context.Request.Headers.Authorization != $"Bearer {RequiredToken}")
        {
            context.Response.StatusCode = context.Request.Headers.Authorization.Count == 0 ? 401 : 403;
            if (ErrorCode is not null)
            {
                context.Response.Headers["X-Error-Code"] = ErrorCode;
            }
        }
        else if (path == $"/api/models/{Model}/revision/main")
        {
            await context.Response.WriteAsync(JsonSerializer.Serialize(new
            {
                id = Model,
                sha = Commit,
                siblings = _files.Select(file => NamesOnly ? new Dictionary<string, object> { ["rfilename"] = file.Key } : Describe(file.Key, file.Value)),
            }));
        }
        else if (path == $"/api/models/{Model}/tree/{Commit}")
        {
            await context.Response.WriteAsync(JsonSerializer.Serialize(_files.Select(file => new Dictionary<string, object?>
            {
                ["type"] = "file",
                ["path"] = file.Key,
                ["size"] = file.Value.Length,
                ["oid"] = BlobOf(file.Value),
                ["lfs"] = IsLarge(file.Key) ? new { oid = HashOf(file.Key, file.Value), size = file.Value.Length } : null,
            })));
        }
        else if (path.StartsWith($"/{Model}/resolve/{Commit}/", StringComparison.Ordinal) && _files.TryGetValue(path.Split('/')[^1], out var content))
        {
            if (StorageAddress is not null && IsLarge(path))
            {
                context.Response.StatusCode = 302;
                context.Response.Headers.Location = $"{StorageAddress}/storage/{path.Split('/')[^1]}";
                return;
            }

            await SendAsync(context, content);
        }
        else if (path.StartsWith("/storage/", StringComparison.Ordinal))
        {
            await SendAsync(context, _files[path.Split('/')[^1]]);
        }
        else
        {
            context.Response.StatusCode = 404;
            context.Response.Headers["X-Error-Code"] = path.StartsWith($"/api/models/{Model}/", StringComparison.Ordinal) ? "RevisionNotFound" : "RepoNotFound";
        }
    }

    private async Task SendAsync(HttpContext context, byte[] content)
    {
        var start = 0;
        if (!IgnoresRanges && context.Request.GetTypedHeaders().Range?.Ranges.Single().From is { } from)
        {
            if (from >= content.Length)
            {
                context.Response.StatusCode = 416;
                return;
            }

            start = (int)from;
            context.Response.StatusCode = 206;
            context.Response.Headers.ContentRange = $"bytes {start}-{content.Length - 1}/{content.Length}";
        }

        var body = content[start..];
        if (Corruptions > 0)
        {
            Corruptions--;
            body[^1] ^= 0xFF;
        }

        context.Response.ContentLength = body.Length;
        if (body.Length > 1_000_000 && Cuts.TryDequeue(out var length))
        {
            await context.Response.Body.WriteAsync(body.AsMemory(0, length));
            await context.Response.Body.FlushAsync();
            context.Abort();
            return;
        }

        await context.Response.Body.WriteAsync(body);
    }

    private Dictionary<string, object> Describe(string name, byte[] content)
    {
        var item = new Dictionary<string, object> { ["rfilename"] = name, ["size"] = content.Length, ["blobId"] = BlobOf(content) };
        if (IsLarge(name))
        {
            item["lfs"] = new { sha256 = HashOf(name, content), size = content.Length, pointerSize = 130 };
        }

        return item;
    }

    private string HashOf(string name, byte[] content) => name == WrongHashOf ? new string('a', 64) : Convert.ToHexStringLower(SHA256.HashData(content));

    [SuppressMessage("Security", "CA5350:Do Not Use Weak Cryptographic Algorithms", Justification = "Git names files by SHA-1.")]
    private static string BlobOf(byte[] content) => Convert.ToHexStringLower(SHA1.HashData([.. Encoding.ASCII.GetBytes($"blob {content.Length}\0"), .. content]));
}
