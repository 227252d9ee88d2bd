using AsrPlatform.Host.Live;
using Microsoft.AspNetCore.Http.Features;
using Microsoft.Net.Http.Headers;

namespace AsrPlatform.Host.Security;

/// <summary>The key that a request carries.</summary>
internal static class PresentedKey
{
    /// <summary>OpenAI's clients put the key into this subprotocol where a browser cannot send headers.</summary>
    private const string SubprotocolPrefix = "openai-insecure-api-key.";

    private const string QueryName = "access_token";
    private const string Bearer = "Bearer ";

    /// <summary>
    /// The key of <c>Authorization: Bearer</c>, of <c>X-Api-Key</c>, or, for WebSockets and server-sent events, which browsers open without
    /// headers, of the query's <c>access_token</c> (the hub, Realtime) or of OpenAI's subprotocol. Null: there is none.
    /// </summary>
    public static string? Of(HttpRequest request)
    {
        if (request.Headers.Authorization.FirstOrDefault() is { } authorization && authorization.StartsWith(Bearer, StringComparison.OrdinalIgnoreCase))
        {
            return authorization[Bearer.Length..].Trim();
        }

        if (request.Headers["X-Api-Key"].FirstOrDefault() is { Length: > 0 } header)
        {
            return header.Trim();
        }

        if (request.Path.StartsWithSegments(CaptionHub.Route, StringComparison.OrdinalIgnoreCase) || request.Path.StartsWithSegments("/v1/realtime", StringComparison.OrdinalIgnoreCase))
        {
            return request.HttpContext.Features.Get<QueryKey>()?.Value
                ?? request.Headers.GetCommaSeparatedValues(HeaderNames.SecWebSocketProtocol)
                    .FirstOrDefault(protocol => protocol.StartsWith(SubprotocolPrefix, StringComparison.Ordinal))?[SubprotocolPrefix.Length..];
        }

        return null;
    }

    /// <summary>The key of a request's query.</summary>
    /// <param name="Value">The key.</param>
    private sealed record QueryKey(string Value);

    /// <summary>
    /// Takes keys out of queries before anything else sees the request: what logs an address, of ours or of the framework's, cannot log
    /// a key with it.
    /// </summary>
    internal sealed class HidingContextFactory(IServiceProvider services) : IHttpContextFactory
    {
        private readonly DefaultHttpContextFactory _inner = new(services);

        public HttpContext Create(IFeatureCollection featureCollection)
        {
            if (featureCollection.Get<IHttpRequestFeature>() is { QueryString.Length: > 1 } request)
            {
                Hide(request, featureCollection);
            }

            return _inner.Create(featureCollection);
        }

        public void Dispose(HttpContext httpContext) => _inner.Dispose(httpContext);

        private static void Hide(IHttpRequestFeature request, IFeatureCollection features)
        {
            var parts = request.QueryString[1..].Split('&');
            var others = parts.Where(part => NameOf(part) != QueryName).ToArray();
            if (others.Length == parts.Length)
            {
                return;
            }

            var key = parts.First(part => NameOf(part) == QueryName);
            features.Set(new QueryKey(key.IndexOf('=') is >= 0 and var at ? Uri.UnescapeDataString(key[(at + 1)..]) : ""));
            request.QueryString = others.Length > 0 ? "?" + string.Join('&', others) : "";
            request.RawTarget = request.RawTarget.Split('?')[0] + request.QueryString;
        }

        private static string NameOf(string part) =>
            Uri.UnescapeDataString(part.IndexOf('=') is >= 0 and var at ? part[..at] : part).ToLowerInvariant();
    }
}
