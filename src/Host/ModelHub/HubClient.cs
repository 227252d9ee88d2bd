using System.Net;
using System.Net.Http.Headers;
using System.Text.Json;
using AsrPlatform.Abstractions;

namespace AsrPlatform.Host.ModelHub;

/// <summary>Reads repositories of an endpoint that answers in the Hugging Face hub's paths.</summary>
/// <remarks>
/// Proxies are .NET's defaults (HTTPS_PROXY and the like). The token goes to the endpoint's own host alone: redirects to storage elsewhere
/// are followed without it. Safe for concurrent calls.
/// </remarks>
internal sealed class HubClient : IDisposable
{
    /// <summary>Where models come from unless HF_ENDPOINT or an option says otherwise.</summary>
    public const string DefaultEndpoint = "https://huggingface.co";

    private const int MaxRedirects = 10;

    private readonly HttpClient _http;
    private readonly Uri _endpoint;
    private readonly string? _token;

    /// <summary>Connects to nothing yet.</summary>
    /// <param name="endpoint">Its address.</param>
    /// <param name="token">An access token; null for none. Never logged.</param>
    /// <exception cref="AsrException">The address is none.</exception>
    public HubClient(string endpoint, string? token)
    {
        if (!Uri.TryCreate(endpoint.TrimEnd('/') + "/", UriKind.Absolute, out var address) || address.Scheme is not ("http" or "https"))
        {
            throw new AsrException($"'{endpoint}' is no endpoint: give an address such as {DefaultEndpoint}");
        }

        _endpoint = address;
        _token = string.IsNullOrWhiteSpace(token) ? null : token.Trim();
        if (_token is { } text && text.Any(character => character is <= ' ' or > '~'))
        {
            throw new AsrException("HF_TOKEN holds characters that no token has: set it again");
        }

        var handler = new SocketsHttpHandler { AllowAutoRedirect = false, ConnectTimeout = TimeSpan.FromSeconds(30), AutomaticDecompression = DecompressionMethods.None };
        _http = new HttpClient(handler) { Timeout = Timeout.InfiniteTimeSpan };
        _http.DefaultRequestHeaders.UserAgent.Add(new ProductInfoHeaderValue("asrplatform", "0.1"));
    }

    /// <summary>The endpoint, for messages.</summary>
    public string Endpoint => _endpoint.ToString().TrimEnd('/');

    /// <summary>Lists a repository.</summary>
    /// <param name="model">ORG/NAME.</param>
    /// <param name="revision">Branch, tag or commit.</param>
    /// <param name="cancellationToken">Gives up.</param>
    /// <exception cref="AsrException">It is not there, not allowed, or the endpoint does not answer.</exception>
    public async Task<HubRepository> ListAsync(string model, string revision, CancellationToken cancellationToken)
    {
        var escaped = Uri.EscapeDataString(revision);
        using var answer = await GetJsonAsync($"api/models/{model}/revision/{escaped}?blobs=true", model, revision, cancellationToken);
        var commit = Text(answer.RootElement, "sha") ?? revision;
        var files = new List<HubFile>();
        if (answer.RootElement.ValueKind == JsonValueKind.Object && answer.RootElement.TryGetProperty("siblings", out var siblings) && siblings.ValueKind == JsonValueKind.Array)
        {
            files.AddRange(siblings.EnumerateArray().Select(ReadSibling).OfType<HubFile>());
        }

        // Mirrors may list names alone, or nothing: the tree has sizes and hashes.
        if (files.Count == 0 || files.Any(file => file.SizeBytes is null))
        {
            var tree = await ListTreeAsync(model, commit, revision, cancellationToken);
            return new HubRepository(commit, tree.Count > 0 ? tree : files);
        }

        return new HubRepository(commit, files);
    }

    /// <summary>Asks for a file's content from a byte on.</summary>
    /// <param name="model">ORG/NAME.</param>
    /// <param name="commit">As <see cref="HubRepository.Commit"/>.</param>
    /// <param name="path">The file.</param>
    /// <param name="offset">The first byte wanted; the answer may start at 0 all the same (status 200 in place of 206).</param>
    /// <param name="cancellationToken">Gives up.</param>
    /// <returns>The answer, content unread; the caller disposes it.</returns>
    /// <exception cref="AsrException">It is not there or not allowed.</exception>
    /// <exception cref="HttpRequestException">The endpoint cannot be reached or is overloaded: worth another try.</exception>
    public async Task<HttpResponseMessage> OpenAsync(string model, string commit, string path, long offset, CancellationToken cancellationToken)
    {
        var escaped = string.Join('/', path.Split('/').Select(Uri.EscapeDataString));
        var response = await SendAsync(new Uri(_endpoint, $"{model}/resolve/{Uri.EscapeDataString(commit)}/{escaped}"), offset, cancellationToken);
        if (response.StatusCode is HttpStatusCode.OK or HttpStatusCode.PartialContent or HttpStatusCode.RequestedRangeNotSatisfiable)
        {
            return response;
        }

        using (response)
        {
            throw Failure(response, $"{model}: {path}", commit);
        }
    }

    /// <inheritdoc />
    public void Dispose() => _http.Dispose();

    private static HubFile? ReadSibling(JsonElement item)
    {
        if (Text(item, "rfilename") is not { } path)
        {
            return null;
        }

        var lfs = item.TryGetProperty("lfs", out var large) && large.ValueKind == JsonValueKind.Object ? large : (JsonElement?)null;
        return new HubFile(path, Number(item, "size") ?? Number(lfs, "size"), Hash(Text(lfs, "sha256") ?? Text(lfs, "oid"), 64), lfs is null ? Hash(Text(item, "blobId"), 40) : null);
    }

    private async Task<List<HubFile>> ListTreeAsync(string model, string commit, string revision, CancellationToken cancellationToken)
    {
        try
        {
            using var answer = await GetJsonAsync($"api/models/{model}/tree/{Uri.EscapeDataString(commit)}?recursive=true", model, revision, cancellationToken);
            return answer.RootElement.ValueKind != JsonValueKind.Array ? [] :
            [
                .. from item in answer.RootElement.EnumerateArray()
                   where Text(item, "type") == "file"
                   let lfs = item.TryGetProperty("lfs", out var large) && large.ValueKind == JsonValueKind.Object ? large : (JsonElement?)null
                   let path = Text(item, "path")
                   where path is not null
                   select new HubFile(path, Number(item, "size"), Hash(Text(lfs, "oid") ?? Text(lfs, "sha256"), 64), lfs is null ? Hash(Text(item, "oid"), 40) : null),
            ];
        }
        catch (HubNotFoundException)
        {
            return [];
        }
    }

    private async Task<JsonDocument> GetJsonAsync(string path, string model, string revision, CancellationToken cancellationToken)
    {
        try
        {
            using var response = await SendAsync(new Uri(_endpoint, path), 0, cancellationToken);
            if (response.StatusCode != HttpStatusCode.OK)
            {
                throw Failure(response, model, revision);
            }

            using var stream = await response.Content.ReadAsStreamAsync(cancellationToken);
            return await JsonDocument.ParseAsync(stream, cancellationToken: cancellationToken);
        }
        catch (Exception error) when (error is HttpRequestException or IOException)
        {
            throw Unreachable(error);
        }
        catch (JsonException error)
        {
            throw new AsrException($"{Endpoint} does not answer as a Hugging Face hub does: check the endpoint", error);
        }
    }

    /// <summary>The error of an endpoint that does not answer.</summary>
    public AsrException Unreachable(Exception error) =>
        new($"{Endpoint} cannot be reached: {OneLine(error)}; check the network and its proxy (HTTPS_PROXY), or give another --endpoint", error);

    private async Task<HttpResponseMessage> SendAsync(Uri address, long offset, CancellationToken cancellationToken)
    {
        for (var redirects = 0; ; redirects++)
        {
            using var request = new HttpRequestMessage(HttpMethod.Get, address);
            if (_token is not null && IsEndpoint(address))
            {
                request.Headers.Authorization = new AuthenticationHeaderValue("Bearer", _token);
            }

            if (offset > 0)
            {
                request.Headers.Range = new RangeHeaderValue(offset, null);
            }

            var response = await _http.SendAsync(request, HttpCompletionOption.ResponseHeadersRead, cancellationToken);
            if ((int)response.StatusCode is 301 or 302 or 303 or 307 or 308 && response.Headers.Location is { } location)
            {
                response.Dispose();
                var next = new Uri(address, location);
                if (redirects == MaxRedirects || next.Scheme is not ("http" or "https") || (address.Scheme == "https" && next.Scheme != "https"))
                {
                    throw new AsrException($"{Endpoint} redirects to where a download cannot follow ({next.Scheme}://{next.Host}): check the endpoint");
                }

                address = next;
                continue;
            }

            if ((int)response.StatusCode is 408 or 429 or >= 500)
            {
                var status = response.StatusCode;
                response.Dispose();
                throw new HttpRequestException($"the hub answers {(int)status}", null, status);
            }

            return response;
        }
    }

    private bool IsEndpoint(Uri address) => address.Scheme == _endpoint.Scheme && address.Host == _endpoint.Host && address.Port == _endpoint.Port;

    private AsrException Failure(HttpResponseMessage response, string what, string revision)
    {
        var code = response.Headers.TryGetValues("X-Error-Code", out var values) ? values.FirstOrDefault() : null;
        var status = (int)response.StatusCode;
        var model = what.Split(':')[0];
        return (status, code) switch
        {
            (_, "GatedRepo") => new AsrException($"{model} is gated: accept its licence at {Endpoint}/{model} and set HF_TOKEN to a token of that account"),
            (404, "RevisionNotFound") => new HubNotFoundException($"{model} has no revision '{revision}' at {Endpoint}"),
            (404, _) => new HubNotFoundException($"{what} is not at {Endpoint} (revision '{revision}'): check the name ORG/NAME and --revision"),
            (401, _) when _token is null => new AsrException($"{model} is not public at {Endpoint}, or is not there: check the name; for a private or gated model set HF_TOKEN to your token"),
            (401 or 403, _) => new AsrException($"{Endpoint} refuses the token in HF_TOKEN for {model} ({status}): check that it is valid, may read this model, and that the model's licence is accepted"),
            _ => new AsrException($"{Endpoint} answers {status} for {what}"),
        };
    }

    private static string? Text(JsonElement? item, string name) =>
        item is { ValueKind: JsonValueKind.Object } value && value.TryGetProperty(name, out var text) && text.ValueKind == JsonValueKind.String ? text.GetString() : null;

    private static long? Number(JsonElement? item, string name) =>
        item is { ValueKind: JsonValueKind.Object } value && value.TryGetProperty(name, out var number) && number.TryGetInt64(out var size) && size >= 0 ? size : null;

    private static string? Hash(string? text, int length) =>
        text is not null && text.StartsWith("sha256:", StringComparison.Ordinal) ? Hash(text[7..], length)
        : text?.Length == length && text.All(char.IsAsciiHexDigit) ? text.ToLowerInvariant() : null;

    private static string OneLine(Exception error) => (error.InnerException ?? error).Message.ReplaceLineEndings(" ");

    /// <summary>There is no such thing at the endpoint.</summary>
    private sealed class HubNotFoundException(string message) : AsrException(message);
}
