using Microsoft.Extensions.Options;

namespace AsrPlatform.Host.Security;

/// <summary>Headers that keep a browser from doing with an answer what nobody meant.</summary>
internal sealed class SecurityHeaders(IOptions<SecurityOptions> options)
{
    /// <summary>Answers of the API are no documents.</summary>
    private const string ForData = "default-src 'none'; frame-ancestors 'none'";

    /// <summary>The page takes everything from the host, plays files that its user chose (blob:), and stands in no other page.</summary>
    private const string ForPage =
        "default-src 'self'; img-src 'self' data:; media-src 'self' blob:; object-src 'none'; base-uri 'none'; form-action 'self'; frame-ancestors ";

    private static readonly string[] Data = ["/api", "/v1", "/hubs", "/health"];

    private readonly string _overlay = ForPage + string.Join(' ', ["'self'", .. options.Value.EmbedOrigins]);

    public Task AddAsync(HttpContext context, RequestDelegate next)
    {
        // When the answer starts: an error handler clears what was set before.
        context.Response.OnStarting(static state =>
        {
            var (self, context) = ((SecurityHeaders, HttpContext))state;
            self.Set(context.Response.Headers, context.Request.Path);
            return Task.CompletedTask;
        }, (this, context));
        return next(context);
    }

    private void Set(IHeaderDictionary headers, PathString path)
    {
        headers.XContentTypeOptions = "nosniff";
        headers["Referrer-Policy"] = "no-referrer";
        headers["Permissions-Policy"] = "camera=(), geolocation=(), microphone=(self)";
        headers.ContentSecurityPolicy =
            Array.Exists(Data, prefix => path.StartsWithSegments(prefix, StringComparison.OrdinalIgnoreCase)) ? ForData
            : path.StartsWithSegments("/overlay", StringComparison.OrdinalIgnoreCase) ? _overlay
            : ForPage + "'none'";
    }
}
