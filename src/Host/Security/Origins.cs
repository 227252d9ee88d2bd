using Microsoft.Extensions.Options;

namespace AsrPlatform.Host.Security;

/// <summary>
/// Refuses what pages of other origins ask for, unless they are allowed. Browsers apply no same-origin rule to WebSockets and simple
/// requests: without this any page could drive a host on localhost.
/// </summary>
internal sealed class Origins(IOptions<SecurityOptions> options, SecurityMetrics metrics)
{
    private readonly HashSet<string> _allowed = new(options.Value.AllowedOrigins, StringComparer.OrdinalIgnoreCase);

    public Task CheckAsync(HttpContext context, RequestDelegate next)
    {
        if (context.Request.Headers.Origin.FirstOrDefault() is not { } origin || IsOwn(origin, context.Request) || _allowed.Contains(origin))
        {
            return next(context);
        }

        metrics.Refused("origin");
        return Refusal.WriteAsync(context, StatusCodes.Status403Forbidden, "origin", $"pages of {origin} may not use this host: put the origin into Security:AllowedOrigins if they should");
    }

    /// <summary>The scheme is not compared: behind a proxy that ends TLS the page's is https and the host's http.</summary>
    private static bool IsOwn(string origin, HttpRequest request) =>
        Uri.TryCreate(origin, UriKind.Absolute, out var uri)
        && string.Equals(uri.Authority, request.Host.Value, StringComparison.OrdinalIgnoreCase);
}
