// Starts one Elasticsearch node (8.19 and later) from the plain jars of Maven Central, which hold no program of their own.
// Usage: java -cp 'HOME/lib/*' Launcher HOME setting=value...
// Prints "listening PORT" when the node takes requests. With STOP_WITH_STDIN=1 it ends when standard input is closed, so
// that no server outlives the tests that started it, and REMOVE_AT_END names a directory that goes with it. With
// SETTINGS_FROM_ENV=1, environment variables with a dotted lower-case name are settings too, as in the official image,
// except those of x-pack, which is not published.
import java.io.IOException;
import java.lang.reflect.Method;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Comparator;
import java.util.Map;
import java.util.Set;
import java.util.concurrent.CountDownLatch;
import java.util.stream.Stream;

public class Launcher {
  // Everything goes through reflection, so that one source compiles without the server's jars and serves every version.
  static Class<?> type(String name) throws ClassNotFoundException {
    return Class.forName("org.elasticsearch." + name);
  }

  public static void main(String[] args) throws Exception {
    Path home = Path.of(args[0]).toAbsolutePath();
    Files.createDirectories(home.resolve("config"));

    Class<?> settingsType = type("common.settings.Settings");
    Object builder = settingsType.getMethod("builder").invoke(null);
    Method put = builder.getClass().getMethod("put", String.class, String.class);
    put.invoke(builder, "path.home", home.toString());
    for (int i = 1; i < args.length; i++) {
      int equals = args[i].indexOf('=');
      put.invoke(builder, args[i].substring(0, equals), args[i].substring(equals + 1));
    }
    if ("1".equals(System.getenv("SETTINGS_FROM_ENV"))) {
      for (Map.Entry<String, String> entry : System.getenv().entrySet()) {
        String name = entry.getKey();
        if (name.matches("[a-z][a-z0-9_]*(\\.[a-z0-9_]+)+") && !name.startsWith("xpack.")) put.invoke(builder, name, entry.getValue());
      }
    }
    Object settings = builder.getClass().getMethod("build").invoke(builder);

    Class<?> environmentType = type("env.Environment");
    Object environment = environmentType.getConstructor(settingsType, Path.class).newInstance(settings, home.resolve("config"));
    Class<?> logging = type("common.logging.LogConfigurator");
    logging.getMethod("configureESLogging").invoke(null);
    logging.getMethod("configureWithoutConfig", settingsType).invoke(null, settings);

    Class<?> loaderType = type("plugins.PluginsLoader");
    Object modules;
    try {
      modules = loaderType.getMethod("loadModulesBundles", Path.class, boolean.class).invoke(null, home.resolve("modules"), false);
    } catch (NoSuchMethodException olderSignature) {
      modules = loaderType.getMethod("loadModulesBundles", Path.class).invoke(null, home.resolve("modules"));
    }
    Object loader = loaderType.getMethod("createPluginsLoader", Set.class, Set.class, Map.class, boolean.class)
        .invoke(null, modules, Set.of(), Map.of(), false);
    Class<?> nodeType = type("node.Node");
    Object node = nodeType.getConstructor(environmentType, loaderType).newInstance(environment, loader);
    nodeType.getMethod("start").invoke(node);
    System.out.println("listening " + port(node));

    CountDownLatch closed = new CountDownLatch(1);
    Runtime.getRuntime().addShutdownHook(new Thread(() -> {
      try {
        nodeType.getMethod("prepareForClose").invoke(node);
        nodeType.getMethod("close").invoke(node);
        if (System.getenv("REMOVE_AT_END") != null) remove(Path.of(System.getenv("REMOVE_AT_END")));
      } catch (Exception e) {
        e.printStackTrace();
      } finally {
        closed.countDown();
      }
    }));
    if ("1".equals(System.getenv("STOP_WITH_STDIN"))) {
      while (System.in.read() >= 0) { }
      System.exit(0);
    }
    closed.await();
  }

  static void remove(Path directory) throws IOException {
    try (Stream<Path> files = Files.walk(directory)) {
      for (Path file : files.sorted(Comparator.reverseOrder()).toList()) Files.delete(file);
    }
  }

  /** The port that `http.port=0` led to. */
  static Object port(Object node) throws Exception {
    Object injector = type("node.Node").getMethod("injector").invoke(node);
    Class<?> transportType = type("http.HttpServerTransport");
    Object transport = type("injection.guice.Injector").getMethod("getInstance", Class.class).invoke(injector, transportType);
    Object bound = transportType.getMethod("boundAddress").invoke(transport);
    Object published = bound.getClass().getMethod("publishAddress").invoke(bound);
    return published.getClass().getMethod("getPort").invoke(published);
  }
}
