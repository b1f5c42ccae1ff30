/** The entry point of the page: mounts the root component with its translations and styles. */
import { createApp } from 'vue';
import App from './App.vue';
import { createTranslations } from './i18n/index.ts';
import './styles/tokens.css';
import './styles/base.css';

createApp(App).use(createTranslations()).mount('#app');
