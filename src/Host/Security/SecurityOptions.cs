using Microsoft.Extensions.Options;

namespace AsrPlatform.Host.Security;

/// <summary>Who may reach the host, and from where. Bound from the section <c>Security</c>; read once at start.</summary>
internal sealed class SecurityOptions : IValidateOptions<SecurityOptions>
{
    public const string Section = "Security";

    /// <summary>Pages of other origins that may use the host, such as <c>https://captions.example.org</c>; the host's own page always may. Default none.</summary>
    public IList<string> AllowedOrigins { get; } = [];

    /// <summary>Pages of other origins that may show the overlay in a frame. Default none; OBS shows it without one.</summary>
    public IList<string> EmbedOrigins { get; } = [];

    /// <summary>Names, beside <c>localhost</c> and addresses of loopback, by which a host without keys answers. Default none.</summary>
    public IList<string> AllowedHosts { get; } = [];

    public ValidateOptionsResult Validate(string? name, SecurityOptions options)
    {
        string[] errors =
        [
            .. Origins(nameof(AllowedOrigins), options.AllowedOrigins),
            .. Origins(nameof(EmbedOrigins), options.EmbedOrigins),
            .. options.AllowedHosts
                .Where(host => Uri.CheckHostName(host) == UriHostNameType.Unknown)
                .Select(host => $"{Section}:{nameof(AllowedHosts)} has '{host}'; give a name such as captions.example.org, without scheme and port."),
        ];
        return errors.Length == 0 ? ValidateOptionsResult.Success : ValidateOptionsResult.Fail(errors);
    }

    /// <summary>An origin is compared, and put into a header, letter by letter: it must be one and nothing else.</summary>
    private static IEnumerable<string> Origins(string option, IEnumerable<string> origins) =>
        from origin in origins
        where !Uri.TryCreate(origin, UriKind.Absolute, out var uri) || uri.Scheme is not ("http" or "https") || !uri.GetLeftPart(UriPartial.Authority).Equals(origin, StringComparison.OrdinalIgnoreCase) || origin.IndexOfAny([';', ',', ' ', '*']) >= 0
        select $"{Section}:{option} has '{origin}'; give an origin such as https://captions.example.org, without a path.";
}
