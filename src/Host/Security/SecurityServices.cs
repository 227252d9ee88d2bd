using System.Globalization;
using System.Threading.RateLimiting;
using AsrPlatform.Host.Settings;
using Microsoft.AspNetCore.RateLimiting;
using Microsoft.AspNetCore.Server.Kestrel.Core;
using Microsoft.Extensions.DependencyInjection.Extensions;
using Microsoft.Extensions.Options;

namespace AsrPlatform.Host.Security;

/// <summary>Registers who may do what, from where, and how much of it.</summary>
internal static class SecurityServices
{
    /// <summary>Adds keys, roles, origins, headers and limits of a service on the network.</summary>
    /// <param name="services">Gets them.</param>
    /// <param name="configuration">The sections <c>Security</c> and <c>Limits</c>; <c>DataDirectory</c> says where the keys lie, without it there are none.</param>
    public static IServiceCollection AddSecurity(this IServiceCollection services, IConfiguration configuration)
    {
        services.AddSettings<SecurityOptions>(configuration, SecurityOptions.Section);
        services.AddSingleton(provider => new ApiKeyStore(configuration["DataDirectory"], provider.GetRequiredService<TimeProvider>()));
        services.AddHosted<OpenConnections>();
        services.AddSingleton<AccessControl>();
        services.AddSingleton<Origins>();
        services.AddSingleton<SecurityHeaders>();
        services.Replace(ServiceDescriptor.Singleton<IHttpContextFactory>(provider => new PresentedKey.HidingContextFactory(provider)));

        services.AddOptions<KestrelServerOptions>().Configure<IOptions<LimitOptions>>(static (kestrel, limits) =>
        {
            kestrel.AddServerHeader = false;
            kestrel.Limits.MaxRequestBodySize = limits.Value.BodyBytes;
        });
        services.AddCors();
        services.AddOptions<Microsoft.AspNetCore.Cors.Infrastructure.CorsOptions>().Configure<IOptions<SecurityOptions>>(static (cors, options) =>
            cors.AddDefaultPolicy(policy => policy.WithOrigins([.. options.Value.AllowedOrigins]).AllowAnyHeader().AllowAnyMethod().AllowCredentials()));
        services.AddRateLimiter(static _ => { });
        services.AddOptions<RateLimiterOptions>().Configure<IOptions<LimitOptions>, SecurityMetrics>(static (limiter, options, metrics) =>
        {
            var perMinute = options.Value.RequestsPerMinute;
            limiter.GlobalLimiter = PartitionedRateLimiter.Create<HttpContext, string>(context => RateLimitPartition.GetFixedWindowLimiter(
                Caller.Of(context)?.Id ?? Caller.OfAddress(context.Connection.RemoteIpAddress),
                _ => new FixedWindowRateLimiterOptions { PermitLimit = perMinute, Window = TimeSpan.FromMinutes(1) }));
            limiter.OnRejected = async (rejected, _) =>
            {
                metrics.Refused("rate");
                if (rejected.Lease.TryGetMetadata(MetadataName.RetryAfter, out var after))
                {
                    rejected.HttpContext.Response.Headers.RetryAfter = Math.Ceiling(after.TotalSeconds).ToString(CultureInfo.InvariantCulture);
                }

                await Refusal.WriteAsync(
                    rejected.HttpContext,
                    StatusCodes.Status429TooManyRequests,
                    "rate_limit_exceeded",
                    $"more than {perMinute} requests in a minute, the most that Limits:RequestsPerMinute allows: try again later");
            };
        });
        return services;
    }

    /// <summary>Adds what the hub itself needs, also without a network.</summary>
    public static IServiceCollection AddLimits(this IServiceCollection services, IConfiguration configuration)
    {
        services.AddSettings<LimitOptions>(configuration, LimitOptions.Section);
        services.AddSingleton<SecurityMetrics>();
        services.AddSingleton<SessionQuota>();
        services.AddSingleton<RoleFilter>();
        return services;
    }

    /// <summary>What every answer gets, and every request must pass, the page's files included.</summary>
    public static void UseSecurityHeaders(this WebApplication app)
    {
        app.Use(app.Services.GetRequiredService<SecurityHeaders>().AddAsync);
        app.Use(app.Services.GetRequiredService<Origins>().CheckAsync);
    }

    /// <summary>What requests must pass before an endpoint sees them.</summary>
    public static void UseAccessControl(this WebApplication app)
    {
        var access = app.Services.GetRequiredService<AccessControl>();
        app.UseCors();
        app.Use(access.IdentifyAsync);
        app.UseRateLimiter();
        app.Use(access.AuthorizeAsync);
    }
}
